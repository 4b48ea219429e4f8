"""Generated requests: none ends in a server error."""

from __future__ import annotations

import tempfile
from pathlib import Path

import schemathesis
from hypothesis import HealthCheck, settings
from page_samples import DORA, HOST, ReviewSite

SITE = ReviewSite(Path(tempfile.mkdtemp(prefix="clearance-review-")) / "out")
BROWSER = SITE.browser(DORA)
SCHEMA = schemathesis.openapi.from_dict(BROWSER.get("/openapi.json").json())
HEADERS = {"host": HOST, "x-csrf-token": BROWSER.csrf, "accept": "application/json"}


@SCHEMA.parametrize()
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
def test_no_request_is_a_defect(case):
    if case.path == "/logout":
        return
    if isinstance(case.body, dict) and "evidence" in case.body:
        # Half of them name a row that is there, so that they get past the first door.
        on = SITE.on("b/c/two.png")
        if len(str(case.body.get("query", ""))) % 2:
            case.body.update(on)
    kwargs = case.as_transport_kwargs(base_url=f"http://{HOST}")
    accepted = ("method", "url", "params", "json", "data", "content")
    request = {name: kwargs[name] for name in accepted if kwargs.get(name) is not None}
    if isinstance(request.get("data"), bytes | str):
        request["content"] = request.pop("data")
    headers = {**(kwargs.get("headers") or {}), **HEADERS}
    client = SITE.client()
    client.cookies.set(SITE.access.cookie, BROWSER.client.cookies.get(SITE.access.cookie))
    answer = client.request(**request, headers=headers)
    assert answer.status_code < 500, answer.text
