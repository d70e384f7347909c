"""A request to the public page, and the checks that run before a page's function.

The order is: host and headers, rate limits, the form (origin, size), the page's function, its answer. Pages have no
login and no cookie, so another website gains nothing by sending a form. A form is nevertheless refused if the browser
says that another site sends it. Forms have no token, because a token would become invalid when this process restarts or
the visitor's network changes, and the visitor's input would be lost.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from callsieve.changes.operation import Refused
from callsieve.public_page.backend import TOO_OFTEN, Backend, PageBackend
from callsieve.public_page.operations import STATEMENT_CHARACTERS
from callsieve.settings import Public
from callsieve.web.access import form_of, is_from_elsewhere
from callsieve.web.connections import network_of
from callsieve.web.i18n import LANGUAGES, N_, TAGS, wanted_language
from callsieve.web.rendering import Templates
from callsieve.web.security_headers import POLICY_HEADER
from callsieve.web.throttle import Limits
from reputation.store.errors import StoreError
from reputation.wording import Wording

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("callsieve.public")

POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
FORM_BYTES = 32 * 1024

FAILED = N_("Something failed here. Nothing was changed: try again later, or call us.")
ERRORS = {
    400: N_("This request is not valid."),
    403: N_("This form was sent from another website. Nothing was changed: open this page itself and try again."),
    404: N_("There is no such page. A status link is valid as long as the appeal is kept. Copy the whole link."),
    408: N_("The form took too long to arrive. Nothing was changed: send it again."),
    413: N_("The form is larger than this page accepts."),
    429: N_("Too many attempts. Wait a while, or call us."),
    500: FAILED,
    503: FAILED,
}


class PublicState:
    """State shared by all public pages. `public`: the settings of the public page. `clock`: returns UTC seconds."""

    def __init__(self, backend: PageBackend, public: Public, clock: Callable[[], float] = time.time) -> None:
        self.backend, self.public, self.clock = backend, public, clock
        self.templates = Templates(("public_page",), {})
        self.limits = Limits()
        self.ending = asyncio.Event()


@dataclass(frozen=True, slots=True)
class Visit:
    """A request to the public page. `network`: the visitor's network, for rate limits. `now`: UTC seconds."""

    http: Request
    state: PublicState
    now: float
    network: str
    language: str
    form: Mapping[str, str] = field(default_factory=dict)
    uploads: Mapping[str, bytes] = field(default_factory=dict)

    async def ask(self, method: Callable[Concatenate[Backend, P], Awaitable[T]], *args: P.args, **named: P.kwargs) -> T:
        """Return the result of a backend method. Raise Refused or StoreError."""
        return await self.state.backend.ask(method, *args, **named)

    def page(self, name: str, status: int = 200, /, **shown: Any) -> Response:
        """Render a template into a response."""
        common = {
            "site": self.state.public,
            "sees_numbers": True,
            "language": self.language,
            "lang": TAGS[self.language],
            "languages": LANGUAGES,
            "path": self.http.url.path,
            "now": self.now,
            "most_statement": STATEMENT_CHARACTERS,
        }
        text = self.state.templates.render(f"public_page/{name}.html", self.language, {**common, **shown})
        return HTMLResponse(text, status, headers={POLICY_HEADER: POLICY})

    def error(self, status: int, words: str | Wording = "") -> Response:
        """Return an error page that explains the problem and the next step."""
        return self.page("error", status, words=words or ERRORS.get(status, ERRORS[400]))

    def go(self, path: str) -> Response:
        """Redirect to another page in the same language."""
        return RedirectResponse(f"{path}?lang={self.language}", 303, headers={POLICY_HEADER: POLICY})


def nothing_before(_visit: Visit) -> AbstractAsyncContextManager[None]:
    """Return a context that checks nothing, for forms without uploads."""
    return nullcontext()


class PublicPage(NamedTuple):
    """An entry in the table of pages. `most_bytes`: the largest body of a request.

    `around`: makes a context manager that is entered before the body is read, and may refuse the request.
    """

    method: str
    path: str
    handler: Callable[[Visit], Awaitable[Response]]
    most_bytes: int = FORM_BYTES
    around: Callable[[Visit], AbstractAsyncContextManager[None]] = nothing_before


def answering(page: PublicPage, state: PublicState) -> Callable[..., Awaitable[Response]]:
    """Return an endpoint that applies the rate limits, checks the form, and calls the page's function."""

    async def answer(request: Request) -> Response:
        chosen = request.query_params.get("lang")
        language = wanted_language(chosen, request.headers.get("accept-language", ""))
        network = network_of(request.client.host if request.client else "")
        visit = Visit(request, state, state.clock(), network, language)
        try:
            if not state.limits.requests.take(network, visit.now):
                return visit.error(429)
            if request.method == "POST":
                return await _sent(page, visit)
            return await page.handler(visit)
        except Refused as refused:
            return visit.error(429 if refused.code == TOO_OFTEN else 422, refused.words)
        except StoreError as error:
            logger.warning("%s", error)
            return visit.error(503)
        except HTTPException as error:
            return visit.error(error.status_code)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:
            logger.exception("a page failed")  # its address may be a secret link
            return visit.error(500)

    return answer


async def _sent(page: PublicPage, visit: Visit) -> Response:
    if is_from_elsewhere(visit.http):
        return visit.error(403)
    async with page.around(visit):
        form, uploads = await form_of(visit.http, page.most_bytes)
        return await page.handler(replace(visit, form=form, uploads=uploads))
