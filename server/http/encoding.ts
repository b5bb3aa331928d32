/**
 * What JSON is encoded in, as Python finds it: by its mark or by where its first zeros are.
 */
import { isUtf8 } from "node:buffer";

export type Encoding = "utf-8" | "utf-16le" | "utf-16be" | "utf-32le" | "utf-32be";

export function encodingOf(bytes: Uint8Array): Encoding {
  const [a = 1, b = 1, c = 1, d = 1] = bytes;
  if (a === 0xff && b === 0xfe) return c === 0 && d === 0 ? "utf-32le" : "utf-16le";
  if (a === 0 && b === 0 && c === 0xfe && d === 0xff) return "utf-32be";
  if (a === 0xfe && b === 0xff) return "utf-16be";
  if (bytes.length === 2 || bytes.length > 3) {
    const wide = bytes.length > 3 && (a === 0 ? b === 0 : c === 0 && d === 0);
    if (a === 0) return wide ? "utf-32be" : "utf-16be";
    if (b === 0) return wide ? "utf-32le" : "utf-16le";
  }
  return "utf-8";
}

/** Its text without the mark; undefined where the bytes are none. */
export function decoded(bytes: Uint8Array, encoding: Encoding): string | undefined {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (encoding === "utf-8") return isUtf8(data) ? UTF8.decode(data) : undefined;
  const text = encoding.startsWith("utf-16")
    ? utf16(data, encoding === "utf-16be")
    : utf32(data, encoding === "utf-32be");
  return text?.charCodeAt(0) === MARK ? text.slice(1) : text;
}

const MARK = 0xfeff;
/** The last character that there is. */
const LAST = 0x10ffff;
/** It leaves the mark out. */
const UTF8 = new TextDecoder();
function utf16(data: Buffer, bigEndian: boolean): string | undefined {
  if (data.length % 2 !== 0) return undefined;
  return (bigEndian ? Buffer.from(data).swap16() : data).toString("utf16le");
}

function utf32(data: Buffer, bigEndian: boolean): string | undefined {
  if (data.length % 4 !== 0) return undefined;
  const units = Buffer.alloc(data.length);
  let end = 0;
  for (let at = 0; at < data.length; at += 4) {
    const point = bigEndian ? data.readUInt32BE(at) : data.readUInt32LE(at);
    if (point > LAST) return undefined;
    const high = point > 0xffff;
    if (high) end = units.writeUInt16LE(0xd7c0 + (point >> 10), end);
    end = units.writeUInt16LE(high ? 0xdc00 | (point & 0x3ff) : point, end);
  }
  return units.toString("utf16le", 0, end);
}
