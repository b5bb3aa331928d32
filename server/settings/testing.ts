/** Rows of the settings table for those who test applications against this server. */

import { readFault } from "./fault-spec.ts";
import { fileText } from "./file-text.ts";
import { type CheckedLine, readLines } from "./match-lines.ts";
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

/** Of a server to record from: says what is wrong with it; undefined: nothing. */
function wrongAddress(text: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) return "must be an http or https URL";
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    return "must be an address alone; keys come with the requests";
  }
  return undefined;
}
