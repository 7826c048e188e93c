// Where it all begins: with what is in the page, or with the server that it comes from.
"use strict";

/** JSON that was compressed (stages/shared/page/page.cpp). */
async function unpacked(text) {
  if (!("DecompressionStream" in window)) throw new Error("this browser is too old: it has no DecompressionStream");
  const bytes = Uint8Array.from(atob(text), (byte) => byte.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
}

async function start() {
  const book = at("book");
  if (book) {
    new Book(await unpacked(book.textContent));
    return;
  }
  const [info, examples] = await Promise.all(["v1/info", "v1/examples"].map(
    async (path) => (await fetch(path)).json()));
  new Live(info, examples);
}

start().catch((error) => {
  at("problem").textContent = `The page could not be begun: ${error.message}`;
  at("problem").hidden = false;
});
