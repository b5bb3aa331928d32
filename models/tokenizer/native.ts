/** The native package's tokenizer: text to ids. It can abort the process; see published.ts. */
import { Tokenizer } from "tokenizers";

/** Throws an Error that says what is wrong with the file. */
export function nativeTokenizer(text: string): Tokenizer {
  const native = Tokenizer.fromString(text);
  // A file may have been saved in the middle of a training run that truncates and pads.
  native.disableTruncation();
  native.disablePadding();
  return native;
}

export async function nativeEncode(
  native: Tokenizer,
  text: string,
  addSpecialTokens: boolean,
): Promise<Int32Array> {
  const encoding = await native.encode(text, null, { addSpecialTokens });
  return Int32Array.from(encoding.getIds());
}
