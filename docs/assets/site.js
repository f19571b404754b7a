// Scrolled parts must be reachable by keyboard, and the buttons of each piece of code need a name of
// their own; the theme gives all of them the same one.
function name_parts() {
  document.querySelectorAll(".md-typeset__scrollwrap").forEach((part) => {
    part.tabIndex = 0;
  });
  document.querySelectorAll("nav.md-code__nav").forEach((part, index) => {
    const name = `Code actions ${index + 1}`;
    if (part.getAttribute("aria-label") !== name) part.setAttribute("aria-label", name);
  });
}

new MutationObserver(name_parts).observe(document.body, { childList: true, subtree: true });
name_parts();
