/** Starts the page: the module, the two workers, and what the address asks for. */
import { part } from "./page.ts";
import { EngineClient, LanguageClient } from "./worker/client.ts";
import { compiled } from "./worker/module.ts";

const module = compiled();
module.catch((error: unknown) => {
  const notice = part("notice");
  notice.hidden = false;
  notice.textContent = `The page does not work: ${String(error)}`;
});
const language = new LanguageClient(module);
const engine = new EngineClient(module);
// The editor and the views load while the module is compiled.
import("./app.ts").then(async ({ App }) => {
  // Between long tasks the module is handed to the workers, if it is there.
  await pause();
  const app = new App(language, engine);
  await pause();
  app.start();
});

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
