"use strict";

// On a phone a page's contents lie in a drawer over it: who takes an entry wants to see the place, not the drawer.
document.addEventListener("click", (event) => {
  event.target.closest("dialog[open] a[href^='#']")?.closest("dialog").close();
});
