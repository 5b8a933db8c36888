// SPDX-License-Identifier: Apache-2.0
// Tries an operation from its page. What is asked goes to the sandbox, never to the shop.
"use strict";

const form = document.querySelector("form[data-try]");
const place = document.getElementById("answer");

/** A token for what the app may do for itself there. */
async function token(server, fields) {
  const answer = await fetch(server + "/oauth/token", {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "client_credentials", client_id: fields.get("client_id").trim(),
      client_secret: fields.get("client_secret").trim(),
    }),
  });
  const json = await answer.json();
  if (!answer.ok) throw new Error("No token: " + (json.error_description ?? json.error));
  return json.access_token;
}

/** The request as the form says it: its address, and what fetch is told. */
function request(fields) {
  const { server, method, path } = form.dataset;
  const query = new URLSearchParams();
  const headers = {};
  let address = path;
  for (const input of form.querySelectorAll("[data-place]")) {
    const value = input.value.trim();
    if (!value) continue;
    if (input.dataset.place === "path") address = address.replace(`{${input.name}}`, encodeURIComponent(value));
    else if (input.dataset.place === "query") query.append(input.name, value);
    else headers[input.name] = value;
  }
  const body = form.elements.body?.value;
  if (body !== undefined) headers["Content-Type"] = form.elements.body.dataset.type;
  return [server + address + (query.size ? "?" + query : ""), { method, headers, body }];
}

/** Text in an element of its own, so that no answer becomes markup. */
function say(tag, text, name = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = name;
  place.append(element);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

// Without this script the form must not be sent: it would go to the shop, with the secret in the address.
form?.querySelector("button").removeAttribute("disabled");

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  place.replaceChildren();
  const fields = new FormData(form);
  try {
    const [address, options] = request(fields);
    if (fields.has("client_id")) options.headers.Authorization = "Bearer " + (await token(form.dataset.server, fields));
    const start = performance.now();
    const answer = await fetch(address, options);
    const text = await answer.text();
    say("p", `${answer.status} after ${Math.round(performance.now() - start)} ms`, answer.ok ? "notice" : "notice wrong");
    say("pre", [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n") + "\n\n" + pretty(text));
  } catch (error) {
    say("p", error instanceof TypeError ? "The sandbox does not answer: " + error.message : error.message, "notice wrong");
  }
});
