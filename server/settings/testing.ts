/** Rows of the settings table for those who test applications against this server. */
import { wrongAddress } from "../fixed/address.ts";
import { type CheckedLine, readLines } from "../fixed/line.ts";
import { readFault } from "../injection/spec.ts";
import { fileText } from "./file-text.ts";
import { rowsOf } from "./row.ts";

const testing = rowsOf("Testing");

export const TESTING = {
  matches: testing.of<readonly CheckedLine[] | undefined>(
    "FILE",
    undefined,
    'Fixed answers, a line each: {"match": {"user": "hello"}, "answer": "Hello."}; what matches none the model answers.',
    (path) => readLines(fileText(path)),
  ),
  "matches-only": testing.toggle(false, "Answer 404 to what matches none."),
  "record-from": testing.text(
    undefined,
    "Pass requests on to this server and answer as it does; needs --record.",
    { value: "URL", check: wrongAddress },
  ),
  record: testing.text(
    undefined,
    "File that a line for --matches is added to for each answer of --record-from; no key is written.",
    { value: "PATH" },
  ),
  inject: testing.list(
    [],
    "What goes wrong with answers, each KIND[=VALUE][@RATE]: status=CODE@10%, cut=4, malformed, slow-first-token=2s, stall=5s:8, pace=50ms.",
    {
      check: (specs) => {
        try {
          for (const spec of specs) readFault(spec);
          return undefined;
        } catch (error) {
          return (error as Error).message; // the reader throws Errors
        }
      },
    },
  ),
  "inject-seed": testing.integer(0, "Seed of which answers it befalls."),
  "enable-inject-header": testing.toggle(
    false,
    "Let a request say what goes wrong with its answer, in x-trainyard-inject.",
  ),
} as const;
