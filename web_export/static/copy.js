// Copies a private link. Without scripts the button is not there, and the link is copied by hand.
"use strict";
const button = document.getElementById("copy");
const link = document.getElementById("link");

button.hidden = false;
button.addEventListener("click", async () => {
  link.select();
  try {
    await navigator.clipboard.writeText(link.value);
  } catch {
    // Not on https, or not allowed; the older way needs neither.
    if (!document.execCommand("copy")) return;
  }
  button.textContent = "Copied";
});
