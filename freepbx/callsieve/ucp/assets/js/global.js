// SPDX-License-Identifier: GPL-3.0-or-later
// UCP makes one object of this class. Each button of the widget sends its form, and the answer is the widget as it is then.
var CallsieveC = UCPMC.extend({
	displayWidget: function (widgetId) {
		var widget = $(".grid-stack-item[data-id='" + widgetId + "']");
		widget.off("submit.callsieve").on("submit.callsieve", "form", function (event) {
			event.preventDefault();
			var button = event.originalEvent && event.originalEvent.submitter;
			var sent = $(this).serializeArray();
			if (button && button.name) {
				sent.push({ name: button.name, value: button.value });
			}
			sent.push({ name: "module", value: "callsieve" }, { name: "command", value: "change" });
			sent.push({ name: "ext", value: widget.data("widget_type_id") });
			$.post(UCP.ajaxUrl, $.param(sent), function (answer) {
				if (answer.html) {
					widget.find(".widget-content").html(answer.html);
				}
				if (answer.message) {
					UCP.showAlert(answer.message, "warning");
				}
			}).fail(function () {
				UCP.showAlert(widget.find("[data-failed]").data("failed"), "danger");
			});
		});
	}
});
