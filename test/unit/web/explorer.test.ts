/** The explorer's data: nesting, levels of detail, and files of others. */
import { describe, expect, it } from "vitest";
import { readChromeTrace } from "../../../device/chrome-trace.ts";
import { ColumnBuilder } from "../../../device/columns.ts";
import { readSpanFile, writeSpanFile } from "../../../device/span-file.ts";
import { mergeNumbered, spanTree } from "../../../device/span-tree.ts";
import { TrackDetail } from "../../../server/web/src/explorer/detail.ts";

function detailOf(spans: number): TrackDetail {
  const builder = new ColumnBuilder();
  for (let index = 0; index < spans; index++) {
    builder.add("p", "lane", { start: index * 10, duration: index === 7777 ? 9 : 4, name: "op" });
  }
  const columns = builder.columns();
  const [track] = columns.tracks;
  if (track === undefined) throw new Error("no track");
  return new TrackDetail(columns, track);
}

describe("levels of detail", () => {
  it("draw no more than the screen has pixels, however many spans there are", () => {
    const detail = detailOf(200_000);
    for (const [from, to] of [
      [0, 2_000_000],
      [77_000, 78_500],
      [500_000, 1_900_000],
      [0, 35],
    ] as const) {
      const marks = detail.marks(from, to, 1000);
      expect(marks.length).toBeLessThanOrEqual(1000);
      expect(marks.length).toBeGreaterThan(0);
      for (const mark of marks) expect(mark.end > from && mark.start <= to).toBe(true);
    }
  });

  it("stand for every span once, the longest by name", () => {
    const detail = detailOf(20_000);
    const marks = detail.marks(0, 200_000, 500);
    expect(marks.reduce((sum, mark) => sum + mark.count, 0)).toBe(20_000);
    expect(marks.some((mark) => mark.span === 7777)).toBe(true);
  });

  it("give each span alone where there is room", () => {
    const marks = detailOf(20_000).marks(1000, 1100, 500);
    expect(marks.every((mark) => mark.count === 1)).toBe(true);
    expect(marks).toHaveLength(11);
  });
});

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("traces", () => {
  const lanes = (text: string) =>
    readChromeTrace(bytesOf(text), "x.json").columns.tracks.map(
      ({ process, lane, depth, from, to }) => `${process}/${lane}/${depth}: ${to - from}`,
    );

  it("nest what lies within, begin at their first span and name their lanes", () => {
    const text = JSON.stringify({
      otherData: { profile_name: "a [b] {c}" },
      traceEvents: [
        { ph: "X", pid: 1, tid: 2, ts: 110, dur: 5, name: 'in "quotes" ]}' },
        { ph: "M", name: "process_name", pid: 1, args: { name: "core" } },
        { ph: "M", name: "thread_name", pid: 1, tid: 2, args: { name: "model" } },
        { ph: "X", pid: 1, tid: 2, ts: 100, dur: 50, name: "outer" },
        { ph: "X", pid: 1, tid: 2, ts: 150, dur: 10, name: "next" },
        { ph: "B", pid: 1, tid: 3, ts: 120, name: "open" },
        { ph: "E", pid: 1, tid: 3, ts: 130 },
      ],
      displayTimeUnit: "ns",
    });
    expect(lanes(text)).toEqual(["core/model/0: 2", "core/model/1: 1", "core/3/0: 1"]);
    const { columns, duration, about } = readChromeTrace(bytesOf(text), "x.json");
    expect(duration).toBe(60_000);
    expect(columns.names[columns.name[0] ?? 0]).toBe("outer");
    expect(columns.names[columns.name[2] ?? 0]).toBe('in "quotes" ]}');
    expect(columns.start[0]).toBe(0);
    expect(about).toEqual({ profile_name: "a [b] {c}" });
  });

  it("are taken as a bare list too, even without its end, and nothing else is", () => {
    expect(lanes('[{"ph":"X","ts":0,"dur":1,"name":"a"}]')).toEqual(["process //0: 1"]);
    expect(lanes('[{"ph":"X","ts":0,"dur":1,"name":"a"},\n')).toEqual(["process //0: 1"]);
    expect(() => lanes("{}")).toThrow(/holds no traceEvents/);
    expect(() => lanes("hello")).toThrow(/holds no traceEvents/);
    expect(() => lanes("[]")).toThrow(/holds no span/);
  });

  it("keep times to the nanosecond that are far from zero", () => {
    const at = 1.7e15; // µs since 1970
    const text = `[{"ph":"X","ts":${at},"dur":1,"name":"a"},{"ph":"X","ts":${at + 2},"dur":1,"name":"b"}]`;
    expect([...readChromeTrace(bytesOf(text), "x.json").columns.start]).toEqual([0, 2000]);
  });

  it("of many events are read in pieces, and say how far", () => {
    const events = Array.from(
      { length: 20_000 },
      (_, index) => `{"ph":"X","pid":1,"tid":1,"ts":${index * 2},"dur":1,"name":"op ${index % 7}"}`,
    );
    const told: number[] = [];
    const { columns } = readChromeTrace(bytesOf(`[${events.join(",\n")}]`), "x.json", (share) =>
      told.push(share),
    );
    expect(columns.start).toHaveLength(20_000);
    expect(told.length).toBeGreaterThan(3);
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(told.at(-1)).toBeCloseTo(1, 2);
  });
});

function nestedSpans() {
  const builder = new ColumnBuilder({ shared: true });
  const add = (name: string, start: number, duration: number, args?: object): void =>
    builder.add("core", "model", { name, start, duration, ...(args && { args: { ...args } }) });
  for (const layer of [0, 1]) {
    const at = layer * 100;
    add(`layers.${layer}`, at, 100);
    add("attn", at, 60);
    add("qkv", at, 20, { bytes: 5, flops: 7, cause: "weights" });
    add("attention", at + 20, 40, { bytes: 9, cause: "kv" });
    add("mlp", at + 60, 40, { bytes: 1 });
  }
  return { columns: builder.columns(), args: builder.args };
}

describe("the hierarchy", () => {
  const { columns, args } = nestedSpans();
  const tree = spanTree(columns, args);

  it("nests by time, and what is in a part counts for it", () => {
    expect(tree?.nanos).toBe(200);
    expect(tree?.children.map(({ name, nanos, bytes }) => [name, nanos, bytes])).toEqual([
      ["layers.0", 100, 15],
      ["layers.1", 100, 15],
    ]);
    const attn = tree?.children[0]?.children[0];
    expect(attn).toMatchObject({ name: "attn", nanos: 60, bytes: 14, flops: 7, cause: "kv" });
  });

  it("has layers alike as one when asked, and loses nothing", () => {
    const [layers] = tree === undefined ? [] : mergeNumbered(tree).children;
    expect(layers).toMatchObject({ name: "layers.*", count: 2, nanos: 200, bytes: 30 });
    expect(layers?.children.map(({ name, count, nanos }) => [name, count, nanos])).toEqual([
      ["attn", 2, 120],
      ["mlp", 2, 80],
    ]);
  });
});

describe("the file by columns", () => {
  const { columns, args } = nestedSpans();
  const file = writeSpanFile({ about: { title: "é" }, columns, args });

  it("comes back as it was, equal arguments once", () => {
    expect(args).toHaveLength(3);
    expect(readSpanFile(file)).toEqual({ about: { title: "é" }, columns, args });
    // As it lies in a larger buffer, at an odd place.
    const shifted = new Uint8Array(file.length + 3);
    shifted.set(file, 3);
    expect(readSpanFile(shifted.subarray(3)).columns).toEqual(columns);
    expect(readSpanFile(Buffer.from(file)).columns).toEqual(columns);
  });

  it("is refused with a reason wherever it is cut or changed", () => {
    for (let length = 0; length < file.length - 8; length += 5) {
      expect(() => readSpanFile(file.subarray(0, length)), String(length)).toThrow(Error);
    }
    const text = new TextDecoder("latin1").decode(file);
    const changed = (from: string, to: string): Uint8Array =>
      Uint8Array.from(text.replace(from, to), (letter) => letter.charCodeAt(0));
    expect(() => readSpanFile(changed('"to":', '"to":9'))).toThrow();
    expect(() =>
      readSpanFile(changed('"name":"detail","type":"u32"', '"name":"detail","type":"u16"')),
    ).toThrow(/no column detail of u32/);
  });
});
