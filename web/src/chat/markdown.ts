// Markdown of a model to nodes that are safe to show: no scripts, no styles, no forms, nothing that
// loads from elsewhere. A picture becomes a link to it, and only http(s) and mail links remain.
import DOMPurify from "dompurify";
import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import cpp from "highlight.js/lib/languages/cpp";
import css from "highlight.js/lib/languages/css";
import go from "highlight.js/lib/languages/go";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { Marked } from "marked";

const languages = {
  bash,
  c,
  cpp,
  css,
  go,
  java,
  javascript,
  json,
  python,
  rust,
  sql,
  typescript,
  xml,
  yaml,
};
for (const [name, language] of Object.entries(languages)) hljs.registerLanguage(name, language);

const HIGHLIGHT_MAX = 20_000; // characters of one block; a longer one stays plain

// Tags are shown as they were written, so that nothing a model says disappears; but for these.
const HARMLESS_TAG = /^<\/?(?:b|br|em|i|strong|sub|sup)\s*\/?>$/i;

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

const markdown = new Marked({
  async: false,
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text }) => (HARMLESS_TAG.test(text.trim()) ? text : escaped(text)),
  },
});

const ALLOWED_TAGS = [
  "a",
  "b",
  "blockquote",
  "br",
  "code",
  "del",
  "em",
  "h1",
  "h2",
  "h3",
  "h4",
  "h5",
  "h6",
  "hr",
  "i",
  "img",
  "li",
  "ol",
  "p",
  "pre",
  "s",
  "strong",
  "sub",
  "sup",
  "table",
  "tbody",
  "td",
  "th",
  "thead",
  "tr",
  "ul",
];
const ALLOWED_ATTR = ["align", "alt", "class", "href", "src", "start", "title"];

function sanitized(html: string): DocumentFragment {
  return DOMPurify.sanitize(html, {
    ALLOWED_TAGS,
    ALLOWED_ATTR,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    ALLOWED_URI_REGEXP: /^(?:https?:|mailto:)/i,
    RETURN_DOM_FRAGMENT: true,
  });
}

export function renderMarkdown(text: string): DocumentFragment {
  const html = markdown.parse(text) as string;
  const fragment = sanitized(html);
  for (const picture of fragment.querySelectorAll("img")) replacePicture(picture);
  for (const link of fragment.querySelectorAll("a")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
  }
  for (const table of fragment.querySelectorAll("table")) wrapTable(table);
  for (const block of fragment.querySelectorAll<HTMLElement>("pre > code")) dressCode(block);
  return fragment;
}

// Showing it would ask another server.
function replacePicture(picture: HTMLImageElement): void {
  const source = picture.getAttribute("src") ?? "";
  const link = document.createElement(source ? "a" : "span");
  if (link instanceof HTMLAnchorElement) link.href = source;
  link.textContent = `[picture: ${picture.alt || source || "without a source"}]`;
  picture.replaceWith(link);
}

function wrapTable(table: HTMLTableElement): void {
  const frame = document.createElement("div");
  frame.className = "table-scroller";
  frame.tabIndex = 0;
  frame.setAttribute("role", "region");
  frame.setAttribute("aria-label", "Table");
  table.replaceWith(frame);
  frame.append(table);
}

function dressCode(code: HTMLElement): void {
  const language = /language-([\w+#-]+)/.exec(code.className)?.[1] ?? "";
  const text = code.textContent ?? "";
  code.removeAttribute("class");
  if (hljs.getLanguage(language) && text.length <= HIGHLIGHT_MAX) {
    const { value } = hljs.highlight(text, { language, ignoreIllegals: true });
    code.replaceChildren(
      DOMPurify.sanitize(value, {
        ALLOWED_TAGS: ["span"],
        ALLOWED_ATTR: ["class"],
        RETURN_DOM_FRAGMENT: true,
      }),
    );
  }
  const block = document.createElement("div");
  block.className = "code-block";
  const head = document.createElement("div");
  head.className = "code-head";
  const name = document.createElement("span");
  name.textContent = language || "text";
  const copy = document.createElement("button");
  copy.type = "button";
  copy.className = "link";
  copy.textContent = "Copy";
  copy.addEventListener("click", () => {
    void navigator.clipboard?.writeText(text).then(() => {
      copy.textContent = "Copied";
      setTimeout(() => {
        copy.textContent = "Copy";
      }, 1500);
    });
  });
  head.append(name, copy);
  const pre = code.parentElement;
  if (!pre) return;
  pre.tabIndex = 0; // it may scroll, and then the keyboard has to reach it
  pre.setAttribute("role", "region");
  pre.setAttribute("aria-label", `Code${language ? `, ${language}` : ""}`);
  pre.replaceWith(block);
  block.append(head, pre);
}
