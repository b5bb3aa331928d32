/** The pages as `npm start` builds them, once before the first test: servers read them when they start. */
import { build } from "vite";

export async function setup(): Promise<void> {
  await build({ root: "server/web", logLevel: "error" });
  await build({ root: "server/web", mode: "saved", logLevel: "error" });
}
