"""The docs page, which needs no network: Swagger UI comes from a package, not from a CDN."""

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

# Without `credentials: "omit"`, the browser itself prompts for a password after a 401, and the page never shows the
# answer. `persistAuthorization` is off, because secrets would stay readable in the browser long after the visit.
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>profile-lookup</title>
  <link rel="icon" href="docs/assets/favicon-32x32.png">
  <link rel="stylesheet" href="docs/assets/swagger-ui.css">
  <style>
    body { margin: 0; }
    .swagger-ui .info { margin: 30px 0 20px; }
    .swagger-ui .scheme-container { margin: 0; padding: 15px 0; }
    .swagger-ui .parameters-col_description input { max-width: 32em; }
    .swagger-ui .body-param textarea { min-height: 8em; field-sizing: content; }
    /* Show the answer first, and then the curl command. */
    .swagger-ui :has(> .live-responses-table) { display: flex; flex-direction: column; }
    .swagger-ui :has(> .live-responses-table) > div { order: 1; }
  </style>
</head>
<body>
  <div id="swagger-ui"></div>
  <script src="docs/assets/swagger-ui-bundle.js"></script>
  <script>
    SwaggerUIBundle({
      url: "openapi.json",
      dom_id: "#swagger-ui",
      deepLinking: true,
      defaultModelsExpandDepth: 0,
      displayRequestDuration: true,
      requestInterceptor: (request) => Object.assign(request, { credentials: "omit" }),
      showCommonExtensions: true,
    });
  </script>
</body>
</html>
"""


def install_docs(app: FastAPI) -> None:
    app.mount("/docs/assets", StaticFiles(packages=[("fastapi_swagger", "resources")]), name="docs assets")

    @app.api_route("/docs", methods=["GET", "HEAD"], include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(_PAGE)

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse("docs")
