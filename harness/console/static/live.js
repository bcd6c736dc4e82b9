// Renews the parts of a page that say where they come from, while somebody looks and has nothing selected in them.
"use strict";

const SECONDS = 3;

async function renew(part) {
  if (document.hidden || part.contains(document.activeElement)) return;
  const answer = await fetch(part.dataset.live).catch(() => null);
  if (answer === null) return;  // the server is away; the next time, perhaps, it is not
  if (answer.redirected) location.reload();  // to the door
  else if (answer.ok) part.replaceChildren(document.createRange().createContextualFragment(await answer.text()));
}

for (const part of document.querySelectorAll("[data-live]")) setInterval(renew, SECONDS * 1000, part);
