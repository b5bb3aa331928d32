/** Random ids, as they stand in answers and headers. */
import { randomFillSync } from "node:crypto";
import { entryAt } from "./entry-at.ts";

/** Bytes of ids that are drawn at once: to ask for those of one costs more than the id. */
const drawn = Buffer.alloc(16 * 256);
let used = drawn.length;

/** Where so many fresh bytes begin. */
function draw(bytes: number): number {
  if (used + bytes > drawn.length) {
    randomFillSync(drawn);
    used = 0;
  }
  used += bytes;
  return used - bytes;
}

/** 64 random bits in hexadecimal digits, as vLLM's ids of answers and calls have them. */
export function hexId(): string {
  const from = draw(8);
  return drawn.toString("hex", from, from + 8);
}

/** The hexadecimal digits of a random UUID (RFC 9562, version 4). */
export function uuidDigits(): string {
  const from = draw(16);
  const [version, variant] = [from + 6, from + 8];
  drawn[version] = 0x40 | (entryAt(drawn, version) & 0x0f);
  drawn[variant] = 0x80 | (entryAt(drawn, variant) & 0x3f);
  return drawn.toString("hex", from, from + 16);
}
