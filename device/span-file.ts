/**
 * Profiles as a file: typed columns behind a JSON header, little-endian.
 *
 *     "TYSPANS1" | u32 length of the header, u32 0 | header, UTF-8 | columns, each at a multiple of 8
 *
 *     header = { about, tracks, names, args, columns: [{ name, type, offset, length }] }
 *
 * `about` is whatever the writer says of the profile. `offset` counts bytes from
 * the end of the header, rounded up to 8. Columns are `start` and `duration` (f64,
 * ns), `name` and `detail` (u32, indices into `names` and `args`; 0xffffffff: no
 * arguments). A reader takes the columns as they lie: nothing is parsed a span.
 */
import type { SpanColumns, Track } from "./columns.ts";
import type { SpanArgs } from "./trace.ts";

export interface SpanFile {
  readonly about: unknown;
  readonly columns: SpanColumns;
  readonly args: readonly SpanArgs[];
}

const MAGIC = "TYSPANS1";
const HEAD = 16;
const TYPES = { start: "f64", duration: "f64", name: "u32", detail: "u32" } as const;
type ColumnName = keyof typeof TYPES;

interface Header {
  readonly about: unknown;
  readonly tracks: readonly Track[];
  readonly names: readonly string[];
  readonly args: readonly SpanArgs[];
  readonly columns: readonly {
    readonly name: string;
    readonly type: string;
    readonly offset: number;
    readonly length: number;
  }[];
}

const up8 = (bytes: number): number => Math.ceil(bytes / 8) * 8;

export function isSpanFile(bytes: Uint8Array): boolean {
  return new TextDecoder("latin1").decode(bytes.subarray(0, MAGIC.length)) === MAGIC;
}

export function writeSpanFile({ about, columns, args }: SpanFile): Uint8Array {
  const { tracks, names } = columns;
  let offset = 0;
  const layout = (Object.keys(TYPES) as ColumnName[]).map((name) => {
    const { byteLength, length } = columns[name];
    const at = { name, type: TYPES[name], offset, length };
    offset = up8(offset + byteLength);
    return at;
  });
  const header: Header = { about, tracks, names, args, columns: layout };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const base = up8(HEAD + text.length);
  const file = new Uint8Array(base + offset);
  file.set(new TextEncoder().encode(MAGIC));
  new DataView(file.buffer).setUint32(MAGIC.length, text.length, true);
  file.set(text, HEAD);
  for (const { name, offset } of layout) {
    const { buffer, byteOffset, byteLength } = columns[name];
    file.set(new Uint8Array(buffer, byteOffset, byteLength), base + offset);
  }
  return file;
}

/** Throws a sentence for what is no such file, or one cut short. */
export function readSpanFile(bytes: Uint8Array): SpanFile {
  if (!isSpanFile(bytes) || bytes.length < HEAD) throw new Error("This is no profile by columns.");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(MAGIC.length, true);
  if (HEAD + length > bytes.length) throw new Error("The profile ends within its header.");
  const text = new TextDecoder().decode(bytes.subarray(HEAD, HEAD + length));
  const header = JSON.parse(text) as Header; // its lists are looked at below
  const { about, tracks, names, args } = header;
  if (![tracks, names, args, header.columns].every(Array.isArray)) {
    throw new Error("The profile's header lacks one of tracks, names, args and columns.");
  }
  const base = up8(HEAD + length);
  const whole = (name: ColumnName): ArrayBuffer => {
    const its = header.columns.find((column) => column.name === name);
    if (its === undefined || its.type !== TYPES[name]) {
      throw new Error(`The profile has no column ${name} of ${TYPES[name]}.`);
    }
    const size = its.length * (its.type === "f64" ? 8 : 4);
    const from = base + its.offset;
    if (!(its.length >= 0) || !(its.offset >= 0) || from + size > bytes.length) {
      throw new Error(`The profile ends within its column ${name}.`);
    }
    return new Uint8Array(bytes.subarray(from, from + size)).buffer; // a copy, so aligned
  };
  const columns = {
    start: new Float64Array(whole("start")),
    duration: new Float64Array(whole("duration")),
    name: new Uint32Array(whole("name")),
    detail: new Uint32Array(whole("detail")),
  };
  const spans = columns.start.length;
  for (const name of ["duration", "name", "detail"] as const) {
    if (columns[name].length !== spans) {
      throw new Error(`The profile's column ${name} has not one value a span.`);
    }
  }
  for (const { from, to, depth } of tracks) {
    if (!(from >= 0 && from <= to && to <= spans && depth >= 0)) {
      throw new Error("A track of the profile lies outside its columns.");
    }
  }
  return { about, columns: { tracks, names, ...columns }, args };
}
