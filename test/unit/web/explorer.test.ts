/** The explorer's data: nesting, levels of detail, and files of others. */
import { describe, expect, it } from "vitest";
import { readChromeTrace } from "../../../server/web/src/explorer/chrome-trace.ts";
import { ColumnBuilder } from "../../../server/web/src/explorer/columns.ts";
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

describe("traces", () => {
  const lanes = (text: string) =>
    readChromeTrace(text, "x.json").spans.tracks.map(
      ({ process, lane, depth, from, to }) => `${process}/${lane}/${depth}: ${to - from}`,
    );

  it("nest what lies within, begin at their first span and name their lanes", () => {
    const text = JSON.stringify({
      traceEvents: [
        { ph: "M", name: "process_name", pid: 1, args: { name: "core" } },
        { ph: "M", name: "thread_name", pid: 1, tid: 2, args: { name: "model" } },
        { ph: "X", pid: 1, tid: 2, ts: 110, dur: 5, name: "inner" },
        { ph: "X", pid: 1, tid: 2, ts: 100, dur: 50, name: "outer" },
        { ph: "X", pid: 1, tid: 2, ts: 150, dur: 10, name: "next" },
        { ph: "B", pid: 1, tid: 3, ts: 120, name: "open" },
        { ph: "E", pid: 1, tid: 3, ts: 130 },
      ],
    });
    expect(lanes(text)).toEqual(["core/model/0: 2", "core/model/1: 1", "core/3/0: 1"]);
    const { spans, duration } = readChromeTrace(text, "x.json");
    expect(duration).toBe(60_000);
    expect(spans.names[spans.name[0] ?? 0]).toBe("outer");
    expect(spans.start[0]).toBe(0);
  });

  it("are taken as a bare list too, and nothing else is", () => {
    expect(lanes('[{"ph":"X","ts":0,"dur":1,"name":"a"}]')).toEqual(["process //0: 1"]);
    expect(() => lanes("{}")).toThrow(/holds no traceEvents/);
    expect(() => lanes("[]")).toThrow(/holds no traceEvents/);
  });
});
