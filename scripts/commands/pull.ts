/** `trainyard pull`: fetches a model of the hub into its cache, from which any command takes it by its name. */
import { existsSync, readFileSync } from "node:fs";
import { parseHubName } from "../../models/weights/hub-cache.ts";
import { fetchModel, hubSettings } from "../../models/weights/hub-fetch.ts";
import { Progress } from "../../server/progress.ts";
import { rowsOf } from "../../server/settings/row.ts";
import { UsageError } from "../usage.ts";
import { parseFlags } from "./flags.ts";

const output = rowsOf("Output");

export const PULL_FLAGS = {
  quiet: output.toggle(false, "no progress on stderr"),
} as const;

export async function run(argv: readonly string[]): Promise<number> {
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const { values, argument } = parseFlags(
    {
      name: "trainyard pull",
      sentence:
        "Fetches a model of the hub into its cache. Cut short, it goes on where it ended. HF_TOKEN, HF_HOME, HF_ENDPOINT and HF_HUB_OFFLINE are heard.",
      argument: { name: "model", sentence: "ORG/NAME[@revision]" },
      flags: PULL_FLAGS,
    },
    argv,
    print,
  );
  const name = parseHubName(argument ?? "");
  if (name === undefined) throw new UsageError(`"${argument ?? ""}" is no ORG/NAME[@revision].`);
  const readFile = (path: string): string | undefined =>
    existsSync(path) ? readFileSync(path, "utf8") : undefined;
  const { offline, ...hub } = hubSettings(process.env, readFile);
  if (offline) throw new UsageError("HF_HUB_OFFLINE is set: nothing is fetched.");
  const bar = values.quiet ? undefined : new Progress("Fetched", 0, { unit: "MB" });
  const megabytes = (bytes: number): number => Math.floor(bytes / 1e6);
  const snapshot = await fetchModel(name, {
    ...hub,
    onProgress: ({ have, total }) => bar?.to(megabytes(have), megabytes(total)),
  });
  bar?.end();
  print(snapshot);
  return 0;
}
