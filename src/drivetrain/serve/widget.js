// The conversation of a Drivetrain service on a web page:
//   <script src="https://SERVER/widget.js" data-key="KEY" data-title="Help" defer></script>
// The key is seen by whoever opens the page: give it a rate and a daily quota of its own. Text is never read as HTML.
"use strict";
(() => {
  const script = document.currentScript;
  const server = script.src.replace(/\/widget\.js(\?.*)?$/, "");
  const title = script.dataset.title || "Help";
  const kept = `drivetrain-chat ${server}`;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :host { position: fixed; inset: auto 1rem 1rem auto; z-index: 2147483000; font: 16px/1.45 system-ui, sans-serif; }
    button { font: inherit; border: 0; border-radius: 1.5rem; padding: .6rem 1.1rem; background: #14532d; color: #fff; cursor: pointer; }
    :focus-visible { outline: 3px solid #f59e0b; outline-offset: 2px; }
    section { display: flex; flex-direction: column; width: min(22rem, 92vw); height: min(32rem, 80vh); background: #fff;
      color: #111; border: 1px solid #767676; border-radius: .8rem; overflow: hidden; box-shadow: 0 8px 30px #0004; }
    section[hidden] { display: none; }
    header { display: flex; justify-content: space-between; align-items: center; padding: .5rem .6rem .5rem 1rem; background: #14532d; color: #fff; }
    h2 { font-size: 1rem; margin: 0; }
    ol { list-style: none; flex: 1; overflow-y: auto; margin: 0; padding: .8rem; }
    li { margin: 0 0 .6rem; padding: .5rem .8rem; border-radius: .8rem; white-space: pre-wrap; overflow-wrap: anywhere; background: #eef2ee; }
    li.person { background: #14532d; color: #fff; margin-left: 2rem; }
    li a { color: inherit; display: block; font-size: .9rem; }
    li button { margin: .4rem .4rem 0 0; padding: .2rem .7rem; }
    form { display: flex; gap: .4rem; padding: .6rem; border-top: 1px solid #ccc; }
    input { flex: 1; min-width: 0; font: inherit; padding: .4rem .6rem; border: 1px solid #767676; border-radius: .5rem; }
    .quiet { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  `);

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children); // texts become text nodes
    return made;
  }

  const host = element("div", { "data-drivetrain-chat": "" });
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [sheet];
  const opener = element("button", { type: "button", "aria-expanded": "false" }, title);
  const closer = element("button", { type: "button", "aria-label": "Close" }, "×");
  const log = element("ol", { role: "log", "aria-live": "polite", "aria-label": "Conversation", tabindex: "0" });
  const input = element("input", { id: "message", autocomplete: "off", maxlength: "2000" });
  const label = element("label", { for: "message", class: "quiet" }, "Your message");
  const send = element("button", { type: "submit" }, "Send");
  const form = element("form", {}, label, input, send);
  const panel = element("section", { role: "dialog", "aria-label": title, hidden: "" },
    element("header", {}, element("h2", {}, title), closer), log, form);
  root.append(panel, opener);

  function show(who, text) {
    const line = element("li", { class: who }, element("span", { class: "quiet" }, who === "person" ? "You: " : "Answer: "), text);
    log.append(line);
    log.scrollTop = log.scrollHeight;
    return line;
  }

  function cite(line, citation) {
    const named = citation.title || citation.question;
    const isWeb = /^https?:\/\//i.test(citation.url);
    line.append(isWeb ? element("a", { href: citation.url, target: "_blank", rel: "noopener noreferrer" }, named)
      : element("small", {}, ` (${named})`));
  }

  function judge(line, prediction) {
    for (const [said, helpful] of [["Helpful", true], ["Not helpful", false]]) {
      const button = element("button", { type: "button" }, said);
      button.addEventListener("click", () => {
        call("/v1/feedback", { prediction_id: prediction, helpful }).catch(() => {});
        line.querySelectorAll("button").forEach((one) => one.remove());
        input.focus();
      });
      line.append(button);
    }
  }

  async function call(path, body) {
    const answer = await fetch(server + path, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": script.dataset.key || "" },
      body: JSON.stringify(body),
    });
    const told = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(told.error.message), { code: told.error.code });
    return told;
  }

  function stored() { try { return sessionStorage.getItem(kept); } catch { return null; } }
  function store(session) { try { session ? sessionStorage.setItem(kept, session) : sessionStorage.removeItem(kept); } catch { /* a page without storage */ } }
  let session = stored();

  async function say(message) {
    send.disabled = true;
    try {
      const told = await call("/v1/chat", { ...(message ? { message } : {}), ...(session ? { session } : {}) });
      session = told.session;
      store(session);
      const line = show("service", told.reply);
      told.citations.forEach((one) => cite(line, one));
      told.options.forEach((option) => {
        const button = element("button", { type: "button" }, option);
        button.addEventListener("click", () => { show("person", option); say(option); input.focus(); });
        line.append(button);
      });
      if (told.prediction_id && told.citations.length) judge(line, told.prediction_id);
    } catch (error) {
      if (error.code === "session_unknown") { session = null; store(null); return say(message); }
      show("service", "This did not work. Please try again in a moment.");
    } finally {
      send.disabled = false;
    }
  }

  function open(isOpen) {
    panel.hidden = !isOpen;
    opener.hidden = isOpen;
    opener.setAttribute("aria-expanded", String(isOpen));
    (isOpen ? input : opener).focus();
    if (isOpen && !log.children.length) say("");
  }

  opener.addEventListener("click", () => open(true));
  closer.addEventListener("click", () => open(false));
  panel.addEventListener("keydown", (event) => { if (event.key === "Escape") open(false); });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const message = input.value.trim();
    if (!message || send.disabled) return;
    input.value = "";
    show("person", message);
    say(message);
  });
  document.body ? document.body.append(host) : addEventListener("DOMContentLoaded", () => document.body.append(host));
})();
