/** `trainyard study`: claims about the hardware, asked of the simulated device by anyone. */
import { mkdir } from "node:fs/promises";
import { nearest } from "../../../models/nearest.ts";
import { rowsOf } from "../../../server/settings/row.ts";
import { UsageError } from "../../usage.ts";
import { parseFlags } from "../flags.ts";
import { STUDY_ROWS } from "./registry.ts";

const output = rowsOf("Output");

export const STUDY_FLAGS = {
  out: output.text(undefined, "where its charts go; without it none is written", {
    value: "FOLDER",
  }),
} as const;

export async function run(argv: readonly string[]): Promise<number> {
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const known = Object.entries(STUDY_ROWS)
    .map(([name, { sentence }]) => `  ${name.padEnd(12)}${sentence}`)
    .join("\n");
  const { values, argument } = parseFlags(
    {
      name: "trainyard study",
      sentence: `Questions asked of the simulated device, each with its tables:\n\n${known}`,
      argument: { name: "study", sentence: "one of those above" },
      flags: STUDY_FLAGS,
    },
    argv,
    print,
  );
  if (argument === undefined) {
    print(`Usage: trainyard study NAME [--out FOLDER]\n\n${known}`);
    return 2;
  }
  const row = Object.hasOwn(STUDY_ROWS, argument) ? STUDY_ROWS[argument] : undefined;
  if (row === undefined) {
    const [close] = nearest(argument, Object.keys(STUDY_ROWS), 1);
    const hint = close === undefined ? "" : ` Did you mean ${close}?`;
    throw new UsageError(`"${argument}" is no study.${hint}\n\n${known}`);
  }
  const { out } = values;
  if (out !== undefined) await mkdir(out, { recursive: true });
  const study = await row.load();
  return study(print, out === undefined ? {} : { out });
}
