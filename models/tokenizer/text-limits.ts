/**
 * What a text may be to be tokenised at all. The native package cannot be stopped
 * once called and aborts the process where one match needs 10^7 retries, so these
 * are checked before every call, whoever calls.
 */

/** The text cannot be tokenised here; the message is for the client and names the limit. */
export class TextRefusedError extends Error {
  override readonly name = "TextRefusedError";
  /** It took too long, and did no other harm. */
  readonly slow: boolean;

  constructor(message: string, { slow = false } = {}) {
    super(message);
    this.slow = slow;
  }
}

/** In UTF-16 units. A published pattern takes two retries a character at most. */
export const MAX_CHARACTERS = 4_000_000;
/** White space is the one thing that published patterns backtrack over again and again. */
export const MAX_WHITE_SPACE = 100_000;

/** Whole pairs are characters of their own, and no surrogates. */
const HALF = /\p{Surrogate}/u;

/** Throws TextRefusedError. Linear. */
export function checkText(text: string): void {
  if (text.length > MAX_CHARACTERS) {
    throw new TextRefusedError(
      `The text has ${text.length} characters; at most ${MAX_CHARACTERS} are tokenized.`,
    );
  }
  if (text.length > MAX_WHITE_SPACE && hasLongRun(text)) {
    throw new TextRefusedError(
      `The text has a run of more than ${MAX_WHITE_SPACE} characters of white space, which is not tokenized.`,
    );
  }
  if (HALF.test(text)) {
    throw new TextRefusedError("The text has half of a surrogate pair, which is no character.");
  }
}

/** Looks at every MAX_WHITE_SPACE-th character only, and around those that are white space. */
function hasLongRun(text: string): boolean {
  for (let at = MAX_WHITE_SPACE; at < text.length; at += MAX_WHITE_SPACE) {
    let from = at;
    let to = at;
    while (from > 0 && isSpace(text.charCodeAt(from - 1))) from--;
    while (to < text.length && isSpace(text.charCodeAt(to))) to++;
    if (to - from > MAX_WHITE_SPACE) return true;
  }
  return false;
}

/** Unicode's White_Space, and the separators U+001C to U+001F and U+FEFF that some engines add. */
function isSpace(code: number): boolean {
  return (
    (code >= 0x09 && code <= 0x0d) ||
    (code >= 0x1c && code <= 0x20) ||
    code === 0x85 ||
    code === 0xa0 ||
    code === 0x1680 ||
    (code >= 0x2000 && code <= 0x200a) ||
    code === 0x2028 ||
    code === 0x2029 ||
    code === 0x202f ||
    code === 0x205f ||
    code === 0x3000 ||
    code === 0xfeff
  );
}
