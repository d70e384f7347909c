// What the console does beyond plain pages: every page works without it. Nothing is made from text but by textContent,
// except the fragments that our own server sends, which are escaped there.
"use strict";

document.documentElement.classList.add("js");

// A menu closes with Escape and by a click elsewhere, as people expect.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open], details.ask[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
