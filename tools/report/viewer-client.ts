/// <reference lib="dom" />
/**
 * The graph viewer, as it runs in the browser. `viewGraph` is written into pages by its source text, so it refers to nothing
 * outside itself.
 */

import type { GraphView } from "./graph-view";

/** Draws `view` in the elements of the page: canvas #graph, field #search, list #hits and panel #facts. */
export function viewGraph(view: GraphView): void {
  const WIDTH = 190;
  const HEIGHT = 34;
  const STEP_X = 220;
  const STEP_Y = 64;
  const canvas = document.getElementById("graph") as HTMLCanvasElement;
  const search = document.getElementById("search") as HTMLInputElement;
  const hits = document.getElementById("hits") as HTMLElement;
  const panel = document.getElementById("facts") as HTMLElement;
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  let scale = 1;
  let left = 0;
  let top = 0;
  let selected = -1;
  let waiting = false;

  const centre = (i: number): [number, number] => {
    const node = view.nodes[i];
    return [(node?.x ?? 0) * STEP_X, (node?.y ?? 0) * STEP_Y];
  };
  const colour = (name: string): string => getComputedStyle(document.body).getPropertyValue(name).trim();

  /** Runs of nodes by level, so that only what is visible is drawn. */
  const levels: number[][] = [];
  view.nodes.forEach((node, i) => {
    levels[node.y] = [...(levels[node.y] ?? []), i];
  });
  const readers: number[][] = view.nodes.map(() => []);
  const writers: number[][] = view.nodes.map(() => []);
  for (const [from, to] of view.edges) {
    readers[from]?.push(to);
    writers[to]?.push(from);
  }

  function draw(): void {
    waiting = false;
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (canvas.width !== width * ratio || canvas.height !== height * ratio) {
      canvas.width = width * ratio;
      canvas.height = height * ratio;
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.setTransform(ratio * scale, 0, 0, ratio * scale, -left * scale * ratio, -top * scale * ratio);
    const first = Math.max(0, Math.floor(top / STEP_Y) - 1);
    const last = Math.min(levels.length - 1, Math.ceil((top + height / scale) / STEP_Y) + 1);
    const ink = colour("--ink");
    context.lineWidth = 1.2;
    for (let to = 0; to < view.nodes.length; to++) {
      const level = view.nodes[to]?.y ?? 0;
      for (const from of writers[to] ?? []) {
        const start = view.nodes[from]?.y ?? 0;
        if (level < first || start > last) continue;
        const [x0, y0] = centre(from);
        const [x1, y1] = centre(to);
        context.strokeStyle = from === selected || to === selected ? colour("--accent") : colour("--line");
        context.beginPath();
        context.moveTo(x0, y0 + HEIGHT / 2);
        const bend = Math.min(40, (y1 - y0 - HEIGHT) / 2);
        context.bezierCurveTo(x0, y0 + HEIGHT / 2 + bend, x1, y1 - HEIGHT / 2 - bend, x1, y1 - HEIGHT / 2);
        context.stroke();
      }
    }
    context.textAlign = "center";
    for (let level = first; level <= last; level++) {
      for (const i of levels[level] ?? []) {
        const node = view.nodes[i];
        if (!node) continue;
        const [x, y] = centre(i);
        context.fillStyle = node.heat === undefined ? colour("--card") : heat(node.heat);
        context.strokeStyle = i === selected ? colour("--accent") : colour("--line");
        context.lineWidth = i === selected ? 3 : 1.2;
        context.beginPath();
        context.roundRect(x - WIDTH / 2, y - HEIGHT / 2, WIDTH, HEIGHT, 6);
        context.fill();
        context.stroke();
        if (scale < 0.25) continue;
        context.fillStyle = node.heat === undefined ? ink : "#111";
        context.font = "600 12px system-ui, sans-serif";
        context.fillText(node.type, x, y - 2);
        context.font = "10px system-ui, sans-serif";
        context.fillText(short(node.name), x, y + 11);
      }
    }
  }

  function heat(value: number): string {
    return `hsl(${Math.round(130 - 130 * Math.min(1, Math.max(0, value)))} 65% 65%)`;
  }

  function short(name: string): string {
    return name.length <= 32 ? name : `…${name.slice(-31)}`;
  }

  function later(): void {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(draw);
  }

  function show(i: number): void {
    selected = i;
    panel.replaceChildren();
    const node = view.nodes[i];
    if (node) {
      const title = document.createElement("h3");
      title.textContent = `${node.type} ${node.name}`;
      const list = document.createElement("dl");
      for (const [name, value] of node.facts) {
        const term = document.createElement("dt");
        term.textContent = name;
        const text = document.createElement("dd");
        text.textContent = value;
        list.append(term, text);
      }
      panel.append(title, list);
    }
    later();
  }

  function go(i: number): void {
    const [x, y] = centre(i);
    scale = Math.max(scale, 0.8);
    left = x - canvas.clientWidth / 2 / scale;
    top = y - canvas.clientHeight / 2 / scale;
    show(i);
  }

  function find(): void {
    hits.replaceChildren();
    const wanted = search.value.trim().toLowerCase();
    if (wanted === "") return;
    let shown = 0;
    view.nodes.forEach((node, i) => {
      if (shown >= 50 || !`${node.type} ${node.name}`.toLowerCase().includes(wanted)) return;
      shown++;
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `${node.type} ${node.name}`;
      button.onclick = () => go(i);
      hits.append(button);
    });
    if (shown === 0) hits.textContent = "nothing found";
  }

  function nodeAt(event: MouseEvent): number {
    const box = canvas.getBoundingClientRect();
    const x = left + (event.clientX - box.left) / scale;
    const y = top + (event.clientY - box.top) / scale;
    const level = Math.round(y / STEP_Y);
    for (const i of levels[level] ?? []) {
      const [cx, cy] = centre(i);
      if (Math.abs(x - cx) <= WIDTH / 2 && Math.abs(y - cy) <= HEIGHT / 2) return i;
    }
    return -1;
  }

  let dragged: { x: number; y: number; far: boolean } | undefined;
  canvas.onpointerdown = (event) => {
    dragged = { x: event.clientX, y: event.clientY, far: false };
    canvas.setPointerCapture(event.pointerId);
  };
  canvas.onpointermove = (event) => {
    if (!dragged) return;
    const [dx, dy] = [event.clientX - dragged.x, event.clientY - dragged.y];
    if (!dragged.far && Math.hypot(dx, dy) < 4) return;
    left -= dx / scale;
    top -= dy / scale;
    dragged = { x: event.clientX, y: event.clientY, far: true };
    later();
  };
  canvas.onpointerup = (event) => {
    if (dragged && !dragged.far) show(nodeAt(event));
    dragged = undefined;
  };
  canvas.onwheel = (event) => {
    event.preventDefault();
    if (!event.ctrlKey && !event.metaKey && !event.shiftKey && event.deltaMode === 0 && Math.abs(event.deltaX) > 0) {
      left += event.deltaX / scale;
      top += event.deltaY / scale;
      later();
      return;
    }
    const box = canvas.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    const next = Math.min(3, Math.max(0.02, scale * Math.exp(-event.deltaY / 400)));
    left += px / scale - px / next;
    top += py / scale - py / next;
    scale = next;
    later();
  };
  canvas.onkeydown = (event) => {
    const step = 60 / scale;
    const moves: Record<string, [number, number]> = {
      ArrowLeft: [-step, 0],
      ArrowRight: [step, 0],
      ArrowUp: [0, -step],
      ArrowDown: [0, step],
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    left += move[0];
    top += move[1];
    later();
  };
  search.oninput = find;
  new ResizeObserver(later).observe(canvas);
  left = -canvas.clientWidth / 2;
  top = -STEP_Y;
  const inputs = view.nodes.findIndex((node) => node.y === 0);
  if (inputs >= 0) left = centre(inputs)[0] - canvas.clientWidth / 2;
  draw();
  canvas.dataset.ready = String(view.nodes.length);
}
