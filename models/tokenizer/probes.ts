/** Texts that have ended tokenizers: a file that one of them ends is not served. */

/** Of a length that a pattern with nested counts never ends on, and that others do not notice. */
const RUN = 64;
/** Of the length that a text may have; see text-limits.ts. */
const LONG = 100_000;

const PRINTABLE = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
const BEYOND = ["\u00e9", "\u0301", "\u3000", "\u00a0", "\u4e2d", "\u{1f642}", "\u0000", "\u2581"];

/** What each is called in a message, and the text. */
export const PROBES: readonly (readonly [name: string, text: string])[] = [
  ["runs of one character", [...PRINTABLE, ...BEYOND].map(run).join("\n")],
  ["runs of two characters", PRINTABLE.map((each) => `${`a${each}`.repeat(RUN)}!`).join("\n")],
  ["words and numbers", "It's 12,345 o'clock; WHAT'S up? \r\n\t".repeat(400)],
  [`${LONG} spaces`, `a${" ".repeat(LONG)}b`],
  [`${LONG} line ends`, `a${"\n".repeat(LONG)}b`],
  [`${LONG} tabs and line ends`, `${"\t\n ".repeat(LONG / 3)}!`],
  [`${LONG} letters`, `${"a".repeat(LONG)}!`],
  [`${LONG} capitals`, `\u0301${"A".repeat(LONG)}1`],
  [`${LONG} signs`, "!".repeat(LONG)],
  [`${LONG} digits`, `${"1".repeat(LONG)}a`],
];

function run(character: string): string {
  return `${character.repeat(RUN)}!x${character.repeat(RUN)}1`;
}
