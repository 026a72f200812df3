"""The pages `/docs`: Swagger UI from files of our own, which asks nobody but this server."""

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from swagger_ui_bundle import swagger_ui_path  # type: ignore[import-untyped]

from serving.protocol.errors import Refused

NAME = str(swagger_ui_path.name)  # with its version, so that a file of one name never changes
FILES = f"/docs/{NAME}/{{file}}"
KINDS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
FOREVER = {"cache-control": "public, max-age=31536000, immutable", "x-content-type-options": "nosniff"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PAGE = f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Serving</title>
<link rel="icon" href="docs/{NAME}/favicon-32x32.png">
<link rel="stylesheet" href="docs/{NAME}/swagger-ui.css">
<link rel="stylesheet" href="docs/page.css">
</head>
<body>
<form id="ask" hidden>
<label for="key">API key</label> <input id="key" type="password" autocomplete="off"> <button>Show</button>
<p id="why"></p>
</form>
<div id="operations"></div>
<script src="docs/{NAME}/swagger-ui-bundle.js"></script>
<script src="docs/page.js"></script>
</body>
</html>
"""
STYLE = "body { margin: 0 } #ask { margin: 3em; font-family: sans-serif } .swagger-ui .topbar { display: none }\n"
SCRIPT = """\
"use strict";
const form = document.getElementById("ask");
const key = document.getElementById("key");

async function show() {
  const answer = await fetch("docs/openapi.json", { headers: key.value ? { "X-API-Key": key.value } : {} });
  const content = await answer.json();
  form.hidden = answer.ok;
  if (!answer.ok) {
    document.getElementById("why").textContent = key.value ? content.message : "";
    return;
  }
  const shown = SwaggerUIBundle({
    dom_id: "#operations",
    spec: content,
    deepLinking: true,
    validatorUrl: null,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    onComplete: () => { if (key.value) shown.preauthorizeApiKey("key", key.value); },
  });
}

form.addEventListener("submit", (event) => { event.preventDefault(); show(); });
show();
"""


async def page(_: Request) -> Response:
    """`GET /docs`; open to all, since it tells nothing by itself: it asks for the document with its reader's key."""
    safe = {"content-security-policy": POLICY, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}
    return HTMLResponse(PAGE, headers=safe)


async def script(_: Request) -> Response:
    """`GET /docs/page.js`."""
    return Response(SCRIPT, headers={"cache-control": "no-cache"}, media_type="text/javascript")


async def style(_: Request) -> Response:
    """`GET /docs/page.css`."""
    return Response(STYLE, headers={"cache-control": "no-cache"}, media_type="text/css")


async def file(request: Request) -> Response:
    """A file of Swagger UI that the page needs; its others are not served, since they ask for more from elsewhere."""
    name = request.path_params["file"]
    if name not in KINDS:
        raise Refused(404, "RESOURCE_DOES_NOT_EXIST", "there is no such page; GET /docs is the one")
    return FileResponse(str(swagger_ui_path / name), headers=FOREVER, media_type=KINDS[name])
