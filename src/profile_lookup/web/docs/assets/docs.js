// `serve --demo` prints the address of this page with the demo's credentials in the fragment, which browsers send to
// no server: #sid=SK…&secret=…&storeId=mem_store_…
const demo = new URLSearchParams(location.hash.slice(1));
const hasDemo = demo.has("sid") && demo.has("secret");
if (hasDemo) {
  // The secret leaves the address bar and the history, and the page opens the Lookup.
  history.replaceState(null, "", "#/Retrieval/CreateProfilesLookup");
}

const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const followColorScheme = () => document.documentElement.classList.toggle("dark-mode", prefersDark.matches);
prefersDark.addEventListener("change", followColorScheme);
followColorScheme();

/** Return the document with this service as its only server, and with the demo's store in every path that has one. */
function adapted(text) {
  const document = JSON.parse(text);
  document.servers = [{ url: new URL(".", location.href).href.replace(/\/$/, "") }];
  const operations = Object.values(document.paths).flatMap((path) => Object.values(path));
  for (const parameter of operations.flatMap((operation) => operation.parameters ?? [])) {
    if (parameter.name === "storeId" && demo.has("storeId")) {
      parameter.example = demo.get("storeId");
    }
  }
  return JSON.stringify(document);
}

const ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  showCommonExtensions: true,
  tryItOutEnabled: hasDemo,
  // `persistAuthorization` is off, because secrets would stay readable in the browser long after the visit.
  onComplete: () => hasDemo && ui.preauthorizeBasic("basic", demo.get("sid"), demo.get("secret")),
  // Without this, the browser itself prompts for a password after a 401, and the page never shows the answer.
  requestInterceptor: (request) => Object.assign(request, { credentials: "omit" }),
  responseInterceptor: (response) => {
    if (response.url.endsWith("/openapi.json") && response.ok) {
      response.text = adapted(response.text);
    }
    return response;
  },
});
