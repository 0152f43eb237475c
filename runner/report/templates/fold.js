// Folded parts: each is drawn when it is opened, and a link into one opens it.
function drawOpened(selector, draw) {
  "use strict";
  for (const place of document.querySelectorAll(selector)) {
    const next = () => { // the outermost first: an inner one may still be folded then
      const folded = place.closest("details:not([open])");
      if (folded) folded.addEventListener("toggle", next, { once: true }); else draw(place);
    };
    next();
  }
}

(() => {
  "use strict";
  const unfold = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let one = target; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
    if (target) target.scrollIntoView();
  };
  window.addEventListener("hashchange", unfold);
  unfold();
})();
