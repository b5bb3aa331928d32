/** A byte-level vocabulary as grammars scan it, of a gzipped tokenizer.json. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { Vocabulary } from "../../../server/grammar/vocabulary.ts";

export function readVocabulary(file: string): Vocabulary {
  const parsed = JSON.parse(gunzipSync(readFileSync(file)).toString("utf8")) as {
    readonly model: { readonly vocab: Readonly<Record<string, number>> };
  }; // a tokenizer.json
  const map = byteOf();
  const bytes: Uint8Array[] = [];
  for (const [word, id] of Object.entries(parsed.model.vocab)) {
    const list = Array.from(word, (char) => map.get(char));
    bytes[id] = Uint8Array.from(list.includes(undefined) ? [] : (list as number[])); // no hole, by the test
  }
  return Vocabulary.of(Array.from(bytes, (one) => one ?? new Uint8Array(0)));
}

/** GPT-2's spelling of bytes as printable characters. */
function byteOf(): ReadonlyMap<string, number> {
  const map = new Map<string, number>();
  let next = 256;
  for (let byte = 0; byte < 256; byte++) {
    const plain = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    map.set(String.fromCharCode(plain ? byte : next++), byte);
  }
  return map;
}
