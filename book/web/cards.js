"use strict";

// A card says what a linked term, work or function is: where a mouse rests on the link, where it has the focus, or
// where it is tapped; a second tap follows the link. Escape closes the card. The pages hold the texts; see cards.py.
{
  const GAP = 8, EDGE = 12, WAIT = 250; // pixels below a link and beside the window; milliseconds
  const texts = new Map([...document.getElementById("cards").content.children].map((one) => [one.dataset.of, one]));
  const card = document.createElement("div");
  card.id = "card";
  card.role = "tooltip";
  card.popover = "manual";
  document.body.append(card);
  let link, timer, tapped;

  const linkOf = (target) => {
    const found = target.closest?.("article a.reference");
    return texts.has(found?.getAttribute("href")) ? found : undefined;
  };

  const close = () => {
    clearTimeout(timer);
    link?.removeAttribute("aria-describedby");
    link = undefined;
    card.hidePopover();
  };

  const open = (to) => {
    if (to === link) return;
    close();
    link = to;
    link.removeAttribute("title"); // or a browser's own card joins this one
    link.setAttribute("aria-describedby", card.id);
    card.replaceChildren(texts.get(link.getAttribute("href")).cloneNode(true));
    card.showPopover();
    const { left, top, bottom } = link.getClientRects()[0], wide = document.documentElement.clientWidth;
    const below = bottom + GAP + card.offsetHeight < innerHeight || top < card.offsetHeight + GAP;
    card.style.left = `${scrollX + Math.max(EDGE, Math.min(left, wide - card.offsetWidth - EDGE))}px`;
    card.style.top = `${scrollY + (below ? bottom + GAP : top - GAP - card.offsetHeight)}px`;
  };

  const soon = (action) => {
    clearTimeout(timer);
    timer = setTimeout(action, WAIT);
  };

  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const to = linkOf(event.target);
    if (to) soon(() => open(to));
    else if (card.contains(event.target)) clearTimeout(timer);
    else soon(close);
  });
  document.addEventListener("focusin", (event) => {
    const to = linkOf(event.target);
    if (!to) close();
    else if (to.matches(":focus-visible")) open(to);
  });
  document.addEventListener("pointerdown", (event) => { tapped = event.pointerType === "touch"; });
  document.addEventListener("click", (event) => {
    const to = linkOf(event.target);
    if (tapped && to && to !== link) {
      event.preventDefault();
      open(to);
    } else if (!card.contains(event.target)) close();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
}
