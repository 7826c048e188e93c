// Where it all begins: with what is in the page, or with the server that it comes from.
"use strict";

async function start() {
  const book = at("book");
  if (book) {
    new Book(JSON.parse(book.textContent));
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
