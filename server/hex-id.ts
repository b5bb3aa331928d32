/** Random ids, as they stand in answers and headers. */
import { randomFillSync } from "node:crypto";
import { entryAt } from "./entry-at.ts";

/** Bytes of ids that are drawn at once: to ask for those of one costs more than the id. */
const drawn = Buffer.alloc(16 * 256);
let used = drawn.length;

/** The hexadecimal digits of a random UUID (RFC 9562, version 4). */
export function hexId(): string {
  if (used === drawn.length) {
    randomFillSync(drawn);
    used = 0;
  }
  const [from, version, variant] = [used, used + 6, used + 8];
  used += 16;
  drawn[version] = 0x40 | (entryAt(drawn, version) & 0x0f);
  drawn[variant] = 0x80 | (entryAt(drawn, variant) & 0x3f);
  return drawn.toString("hex", from, used);
}
