// Small pictures: one that could not be made yet, because others were being made, is asked for again;
// one that is not there is told by a sign, so that no broken picture stands in its place.
"use strict";

const WAITS = [1500, 4000];

const noPicture = (image) => {
  const sign = document.createElement("span");
  sign.className = "thumb none";
  sign.textContent = "–";
  sign.title = "No picture can be shown";
  image.replaceWith(sign);
};

const again = (image) => {
  const tries = Number(image.dataset.tries || 0);
  if (tries >= WAITS.length) {
    noPicture(image);
    return;
  }
  image.dataset.tries = tries + 1;
  setTimeout(() => {
    const address = new URL(image.src);
    address.searchParams.set("again", tries + 1);
    image.src = address;
  }, WAITS[tries]);
};

for (const image of document.querySelectorAll("img.thumb")) {
  image.addEventListener("error", () => again(image));
  if (image.complete && image.src && !image.naturalWidth) again(image);
}
