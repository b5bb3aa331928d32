/**
 * `trainyard open FILE`: the pages on a profile, a sweep or a bench, without a
 * model. Serves the pages and that file alone, on this machine.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import Fastify from "fastify";
import { uiRoutes } from "../../server/ops/ui.ts";
import { rowsOf } from "../../server/settings/row.ts";
import { UsageError } from "../usage.ts";
import { readSide } from "./compare/side.ts";
import { parseFlags } from "./flags.ts";

const output = rowsOf("Output");

export const OPEN_FLAGS = {
  port: output.integer(0, "where to listen on 127.0.0.1; 0: a free one"),
} as const;

export async function run(argv: readonly string[]): Promise<number> {
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const { values, argument } = parseFlags(
    {
      name: "trainyard open",
      sentence:
        "Look at a profile, a sweep (its folder or its page) or a bench's result in the browser.",
      argument: { name: "file", sentence: "what to open" },
      flags: OPEN_FLAGS,
    },
    argv,
    print,
  );
  if (argument === undefined) throw new UsageError("takes a file or a folder: trainyard open FILE");
  const { url, close } = await opened(argument, values.port);
  print(`${url}\nCtrl-C ends it.`);
  await new Promise<void>((resolve) => process.once("SIGINT", resolve));
  await close();
  return 0;
}

/** Serves the pages and the file; `url` is the view of it. */
export async function opened(
  path: string,
  port: number,
): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const { kind } = await readSide(path);
  if (kind === "eval") throw new UsageError(`${path}: evaluations have no page.`);
  const files = await filesOf(path);
  const app = Fastify();
  uiRoutes(app);
  if (!app.hasRoute({ method: "GET", url: "/" })) {
    throw new UsageError("the pages are not built: npm run build");
  }
  for (const [index, file] of files.entries()) {
    app.get(`/opened/${index}/:name`, async (_request, reply) =>
      reply
        .header("x-content-type-options", "nosniff")
        .type("application/octet-stream")
        .send(await readFile(file)),
    );
  }
  const base = await app.listen({ host: "127.0.0.1", port });
  const link = new URLSearchParams();
  for (const [index, file] of files.entries()) {
    link.append("open", `opened/${index}/${encodeURIComponent(basename(file))}`);
  }
  const page = kind === "profile" ? "explorer" : "curves";
  return { url: `${base}/#/${page}?${link}`, close: () => app.close() };
}

async function filesOf(path: string): Promise<readonly string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const inner = join(path, "points");
  const at = (await stat(inner).catch(() => undefined))?.isDirectory() === true ? inner : path;
  return (await readdir(at)).filter((name) => name.endsWith(".json")).map((name) => join(at, name));
}
