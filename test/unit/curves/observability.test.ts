import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { DASHBOARD_FILE, dashboardJson } from "../../../scripts/observability/dashboard.ts";
import { fill, hasData, ownQueries } from "../../../scripts/observability/queries.ts";

const LIST = new URL("../../compat/dashboard-queries.json", import.meta.url);
const folder = new URL("../../../scripts/observability/", import.meta.url);

const series = (query: string): string[] =>
  query.match(/(vllm|vllm_neuron|trainyard):[a-z_]+/g) ?? [];

describe("dashboards", () => {
  it("are as their panels say", () => {
    expect(readFileSync(DASHBOARD_FILE, "utf8")).toBe(dashboardJson());
  });

  it("leave no variable unfilled", () => {
    const listed = JSON.parse(readFileSync(LIST, "utf8")) as { query: string }[];
    expect(listed.length).toBeGreaterThan(70);
    const values = { model: "m", interval: "60s", range: "5m" };
    for (const { query } of [...listed, ...ownQueries()]) {
      expect(fill(query, values)).not.toContain("$");
    }
  });

  it("take NaN for no data", () => {
    expect(hasData([{ labels: {}, value: Number.NaN }])).toBe(false);
    expect(hasData([{ labels: {}, value: 0 }])).toBe(true);
  });
});

describe("docker-compose.yml", () => {
  const root = new URL("../../../", import.meta.url);
  const compose = parse(readFileSync(new URL("docker-compose.yml", root), "utf8")) as {
    services: Record<string, { volumes?: string[]; depends_on?: string[] }>;
  };

  it("mounts what is there", () => {
    const mounted = Object.values(compose.services).flatMap(({ volumes }) => volumes ?? []);
    expect(mounted.length).toBeGreaterThan(3);
    for (const volume of mounted) {
      expect(existsSync(new URL(volume.split(":")[0] ?? "", root)), volume).toBe(true);
    }
  });

  it("points Grafana at Prometheus, and Prometheus at the server, by their names", () => {
    const source = readFileSync(
      new URL("grafana/provisioning/datasources/prometheus.yml", folder),
      "utf8",
    );
    const scrape = readFileSync(new URL("prometheus.yml", folder), "utf8");
    expect(Object.keys(compose.services).sort()).toEqual(["grafana", "prometheus", "server"]);
    expect(source).toContain("http://prometheus:9090");
    expect(scrape).toContain("server:8000");
  });
});

describe("alerts", () => {
  const rules = parse(readFileSync(new URL("alerts.yml", folder), "utf8")) as {
    groups: { rules: { alert: string; expr: string; annotations: { summary: string } }[] }[];
  };
  const all = rules.groups.flatMap((group) => group.rules);

  it("ask only for series that a dashboard shows", () => {
    const listed = JSON.parse(readFileSync(LIST, "utf8")) as { query: string }[];
    const base = (name: string): string => name.replace(/_(bucket|sum|count|total)$/, "");
    const shown = new Set(
      [...listed, ...ownQueries()].flatMap(({ query }) => series(query).map(base)),
    );
    const unknown = all
      .flatMap(({ expr }) => series(expr).map(base))
      .filter((name) => !shown.has(name));
    expect(unknown).toEqual([]);
  });

  it("say what is wrong", () => {
    for (const { summary } of all.map((rule) => rule.annotations))
      expect(summary.length).toBeGreaterThan(10);
  });
});
