/**
 * Grafana's JSON of our dashboard, from the panels:
 *   node --import tsx scripts/observability/dashboard.ts
 * writes it; a test compares the file with the panels.
 */
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { PANELS, type Panel } from "./panels.ts";

export const DASHBOARD_FILE = fileURLToPath(
  new URL("./grafana/dashboards/trainyard.json", import.meta.url),
);

const COLUMNS = 24;
/** Grafana's own variable, filled in by it. */
const DATASOURCE = { type: "prometheus", uid: "$datasource" };

export function dashboardJson(): string {
  const panels: unknown[] = [];
  let y = 0;
  let id = 1;
  for (const row of PANELS) {
    panels.push({
      id: id++,
      type: "row",
      title: row.title,
      collapsed: false,
      gridPos: { h: 1, w: COLUMNS, x: 0, y },
      panels: [],
    });
    y++;
    const width = Math.floor(COLUMNS / row.panels.length);
    const height = row.panels.every((panel) => panel.kind === "stat") ? 4 : 8;
    for (const [index, panel] of row.panels.entries()) {
      panels.push(panelJson(panel, id++, { h: height, w: width, x: index * width, y }));
    }
    y += height;
  }
  const dashboard = {
    uid: "trainyard",
    title: "Trainyard",
    description: "Curve, latency, engine, cache, speculation and pacing of a Trainyard server.",
    schemaVersion: 39,
    editable: true,
    refresh: "5s",
    time: { from: "now-15m", to: "now" },
    timezone: "browser",
    templating: {
      list: [
        { name: "datasource", type: "datasource", query: "prometheus", label: "Source" },
        {
          name: "model_name",
          type: "query",
          label: "Model",
          datasource: DATASOURCE,
          query: "label_values(vllm:num_requests_running, model_name)",
          refresh: 2,
          includeAll: true,
          multi: true,
          current: { text: "All", value: "$__all" },
        },
      ],
    },
    panels,
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}

function panelJson(panel: Panel, id: number, gridPos: object): object {
  const bars = panel.kind === "barchart";
  return {
    id,
    type: panel.kind ?? "timeseries",
    title: panel.title,
    description: panel.description,
    datasource: DATASOURCE,
    gridPos,
    fieldConfig: {
      defaults: {
        unit: panel.unit,
        min: 0,
        ...(panel.kind === undefined
          ? { custom: { lineWidth: 1, fillOpacity: 8, showPoints: "never" } }
          : {}),
      },
      overrides: [],
    },
    options: bars
      ? { xField: "concurrency", legend: { showLegend: false } }
      : panel.kind === "stat"
        ? { reduceOptions: { calcs: ["lastNotNull"] }, graphMode: "area", colorMode: "none" }
        : {
            legend: { displayMode: "list", placement: "bottom", showLegend: true },
            tooltip: { mode: "multi", sort: "desc" },
          },
    // Bars need one frame with a row for each concurrency, in numeric order.
    ...(bars
      ? {
          transformations: [
            {
              id: "convertFieldType",
              options: { conversions: [{ targetField: "concurrency", destinationType: "number" }] },
            },
            { id: "sortBy", options: { sort: [{ field: "concurrency" }] } },
            {
              id: "convertFieldType",
              options: { conversions: [{ targetField: "concurrency", destinationType: "string" }] },
            },
          ],
        }
      : {}),
    targets: panel.queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: DATASOURCE,
      expr,
      legendFormat: legend,
      ...(bars ? { instant: true, format: "table" } : {}),
    })),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(DASHBOARD_FILE, dashboardJson());
}
