"use strict";

// A file of its own, because the page's content security policy runs no script that is written into the page.
window.ui = SwaggerUIBundle({
  // In full: the servers of the document are relative to it.
  url: new URL(document.currentScript.dataset.document, document.baseURI).href,
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  filter: true,
  persistAuthorization: false,
  validatorUrl: null,
});
