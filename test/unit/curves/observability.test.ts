import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { healthTarget, servedFlags } from "../../../scripts/commands/health.ts";
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
    services: Record<
      string,
      {
        volumes?: string[];
        restart?: string;
        depends_on?: Record<string, { condition: string }>;
      }
    >;
    volumes: Record<string, unknown>;
  };

  it("mounts what is there", () => {
    const mounted = Object.values(compose.services).flatMap(({ volumes }) => volumes ?? []);
    expect(mounted.length).toBeGreaterThan(3);
    for (const volume of mounted) {
      const [source = ""] = volume.split(":");
      if (source.startsWith(".")) expect(existsSync(new URL(source, root)), volume).toBe(true);
      else expect(Object.keys(compose.volumes)).toContain(source);
    }
  });

  it("keeps what it measured, comes back, and waits for a server that answers", () => {
    for (const [name, service] of Object.entries(compose.services)) {
      expect(service.restart, name).toBe("unless-stopped");
      expect(
        service.volumes?.some((volume) => !volume.startsWith(".")),
        name,
      ).toBe(true);
    }
    const { depends_on } = compose.services["prometheus"] ?? {};
    expect(depends_on?.["server"]?.condition).toBe("service_healthy");
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

  it("print the figure that their sentence is about", () => {
    // What stands left of `and` is the value: a sentence about change needs a rate there.
    for (const { alert, expr, annotations } of all) {
      if (!/each second|a second/.test(annotations.summary)) continue;
      expect(expr, alert).toMatch(/^(sum by \([^)]*\) \()?(rate|deriv|irate)\(/);
    }
    const shown = all.filter(({ annotations }) => annotations.summary.includes("$value"));
    expect(shown.length).toBeGreaterThan(4);
  });
});

describe("a container's health check", () => {
  it("asks where the server was told to listen", () => {
    const at = (line: string, env: Record<string, string> = {}) => {
      const flags = servedFlags(`${["node", "cli.js", ...line.split(" ")].join("\0")}\0`);
      return flags === undefined ? undefined : healthTarget(flags, env);
    };
    const image = { TRAINYARD_HOST: "0.0.0.0" };
    expect(at("serve", image)).toEqual({ secure: false, host: "127.0.0.1", port: 8000 });
    expect(at("serve m --port 9000 --host ::", image)).toMatchObject({ host: "::1", port: 9000 });
    expect(at("serve --ssl-keyfile k --ssl-certfile c")).toMatchObject({ secure: true });
    expect(at("serve --uds /tmp/s")).toMatchObject({ socketPath: "/tmp/s" });
    expect(at("serve --host=0.0.0.0 --port=81", { TRAINYARD_PORT: "80" })).toMatchObject({
      port: 81,
    });
    expect(at("serve", { TRAINYARD_PORT: "80" })).toMatchObject({ port: 80 });
    expect(at("bench")).toBeUndefined();
  });
});
