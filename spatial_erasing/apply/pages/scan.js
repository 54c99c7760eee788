"use strict";
const at = (id) => document.getElementById(id);
const numbers = JSON.parse(at("numbers").textContent);
const [nx, ny, nz] = numbers.shape, voxelMm = numbers.voxelMm;
const strides = [1, nx, nx * ny]; // the first axis is the fastest
// Every section runs from the right, anterior and superior end of its axes, at its left and top, to the other end.
const PLANES = [
  { name: "axial", across: 0, down: 1, through: 2 },
  { name: "coronal", across: 0, down: 2, through: 1 },
  { name: "sagittal", across: 1, down: 2, through: 0 },
];
// Parts of matplotlib's inferno and viridis that stand out against grey: even steps for colour-blind eyes, too.
const RAMPS = {
  percentile: [[155, 41, 100], [193, 58, 80], [225, 86, 53], [245, 123, 23], [252, 168, 13], [245, 217, 73], [252, 255, 164]],
  spread: [[47, 108, 142], [36, 134, 142], [31, 161, 136], [56, 185, 119], [112, 207, 87], [184, 222, 41], [253, 231, 37]],
};
const TOP = 255, LOWEST_TICK = 1; // the colours begin at 1 - 10^-1, a percentile of 90 %
const OUTLINE = "#56b4e9";
const voxels = {};
const cross = [nx >> 1, ny >> 1, nz >> 1];

async function unpacked(text) {
  const packed = atob(text), bytes = new Uint8Array(packed.length);
  for (let k = 0; k < packed.length; k += 1) bytes[k] = packed.charCodeAt(k);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/* Share of healthy voxels above a level; a level is even in its logarithm. */
const shareAbove = (level) => 10 ** (-numbers.decades * (level - 1) / (TOP - 1));
function percentileText(level) {
  if (level === 0) return "0 %";
  const above = shareAbove(level), coarse = above > 0.095 ? 0 : above > 0.0095 ? 1 : 2;
  const digits = Math.max(coarse, Math.ceil(-Math.log10(100 * above) - 0.02));
  const oneIn = Number((1 / above).toPrecision(2)).toLocaleString("en");
  const text = `${(100 * (1 - above)).toFixed(digits)} %`;
  return above > 0.5 ? text : `${text}, exceeded by ${level === TOP ? "at most " : ""}1 of ${oneIn} healthy voxels`;
}

const layer = () => at("layer")?.value ?? "percentile";
const threshold = () => Number(at("threshold").value);
const colours = {};
for (const [name, ramp] of Object.entries(RAMPS)) {
  colours[name] = Array.from({ length: TOP + 1 }, (_, level) => {
    const lowest = name === "percentile" ? 1 + LOWEST_TICK * (TOP - 1) / numbers.decades : 0;
    const place = Math.max(0, (level - lowest) / (TOP - lowest)) * (ramp.length - 1), low = Math.min(Math.floor(place), ramp.length - 2);
    return ramp[low].map((value, channel) => value + (place - low) * (ramp[low + 1][channel] - value));
  });
}

/* One section as two small pictures, a pixel a voxel: the scan, and the colours over it. */
function picturesOf({ across, down, through }, index) {
  const [width, height] = [numbers.shape[across], numbers.shape[down]];
  const pictures = [0, 1].map(() => {
    const canvas = new OffscreenCanvas(width, height), context = canvas.getContext("2d");
    return { canvas, context, image: context.createImageData(width, height) };
  });
  const [grey, colour] = pictures.map((picture) => picture.image.data);
  const brightness = Number(at("brightness").value), lowest = layer() === "percentile" ? threshold() : 1; // 1: the whole brain
  const map = voxels[layer()], table = colours[layer()];
  let pixel = 0;
  for (let row = height - 1; row >= 0; row -= 1) {
    for (let column = width - 1; column >= 0; column -= 1, pixel += 4) {
      const place = index * strides[through] + row * strides[down] + column * strides[across];
      grey[pixel] = grey[pixel + 1] = grey[pixel + 2] = voxels.scan[place] * brightness;
      grey[pixel + 3] = 255;
      if (voxels.percentile[place] >= lowest) {
        [colour[pixel], colour[pixel + 1], colour[pixel + 2]] = table[map[place]];
        colour[pixel + 3] = 255;
      }
    }
  }
  return pictures.map(({ canvas, context, image }) => { context.putImageData(image, 0, 0); return canvas; });
}

/* The border of the mask along the edges of its voxels. */
function traceOutline(context, { across, down, through }, index, scale) {
  const [width, height] = [numbers.shape[across], numbers.shape[down]];
  const marked = (column, row) => column >= 0 && row >= 0 && column < width && row < height
    && voxels.mask[index * strides[through] + (height - 1 - row) * strides[down] + (width - 1 - column) * strides[across]];
  const line = (x0, y0, x1, y1) => { context.moveTo(x0 * scale[0], y0 * scale[1]); context.lineTo(x1 * scale[0], y1 * scale[1]); };
  context.beginPath();
  for (let row = 0; row < height; row += 1) for (let column = 0; column < width; column += 1) {
    if (!marked(column, row)) continue;
    if (!marked(column - 1, row)) line(column, row, column, row + 1);
    if (!marked(column + 1, row)) line(column + 1, row, column + 1, row + 1);
    if (!marked(column, row - 1)) line(column, row, column + 1, row);
    if (!marked(column, row + 1)) line(column, row + 1, column + 1, row + 1);
  }
  context.stroke();
}

function drawSection(canvas, plane, index, withCross) {
  const ratio = window.devicePixelRatio || 1, width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  const mm = (axis) => numbers.shape[axis] * voxelMm[axis];
  const height = Math.max(1, Math.round(width * mm(plane.down) / mm(plane.across)));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d"), [scan, colour] = picturesOf(plane, index);
  const scale = [width / numbers.shape[plane.across], height / numbers.shape[plane.down]];
  context.imageSmoothingQuality = "high";
  context.imageSmoothingEnabled = true;
  context.drawImage(scan, 0, 0, width, height);
  context.imageSmoothingEnabled = false; // what is coloured is voxels, not a smooth shape
  context.globalAlpha = Number(at("opacity").value);
  context.drawImage(colour, 0, 0, width, height);
  context.globalAlpha = 1;
  context.strokeStyle = OUTLINE;
  context.lineWidth = 1.25 * ratio;
  if (at("outline").checked) traceOutline(context, plane, index, scale);
  if (!withCross || !at("cross").checked) return;
  const x = (numbers.shape[plane.across] - cross[plane.across] - 0.5) * scale[0];
  const y = (numbers.shape[plane.down] - cross[plane.down] - 0.5) * scale[1], gap = 8 * ratio;
  context.strokeStyle = "rgba(255, 255, 255, .7)";
  context.lineWidth = ratio;
  context.beginPath(); // open in the middle, so that it hides nothing of what it points at
  for (const [x0, y0, x1, y1] of [[0, y, x - gap, y], [x + gap, y, width, y], [x, 0, x, y - gap], [x, y + gap, x, height]]) {
    context.moveTo(x0, y0); context.lineTo(x1, y1);
  }
  context.stroke();
}

/* How a voxel of the page is counted in the whole scan, from 0 at its left, posterior and lowest end. */
function sliceText(axis, index) {
  const first = numbers.first[axis] + index * numbers.steps[axis];
  const last = Math.min(first + numbers.steps[axis], numbers.slices[axis]) - 1;
  return first === last ? `${first}` : `${first}–${last}`;
}

function describePlace() {
  const place = cross.reduce((sum, index, axis) => sum + index * strides[axis], 0);
  const mm = numbers.affine.slice(0, 3).map((row) => row[0] * cross[0] + row[1] * cross[1] + row[2] * cross[2] + row[3]);
  const [x, y, z] = mm.map((value) => value.toFixed(1).replace("-", "−"));
  let text = `Cross-hair: right ${x}, anterior ${y}, superior ${z} mm. `;
  text += voxels.percentile[place] ? `Percentile ${percentileText(voxels.percentile[place])}` : "No score here: outside the brain or at its rim";
  if (voxels.spread) text += `, spread ${(voxels.spread[place] / TOP * numbers.spreadMax).toPrecision(2)}`;
  at("place").textContent = `${text}${voxels.mask[place] ? ", marked" : ""}.`;
  document.body.dataset.cross = cross.join(" ");
}

function describeThreshold() {
  const level = threshold(), ml = numbers.mlFromLevel[level], shown = layer() === "percentile";
  at("chosen").textContent = !shown ? "The spread is shown in the whole brain." : level > TOP ? "No colours."
    : `${percentileText(level)}. ${ml.toFixed(ml < 10 ? 2 : 1)} ml of this scan lie above.`;
  at("threshold").disabled = !shown;
}

function drawKey() {
  const context = at("key").getContext("2d"), isPercentile = layer() === "percentile";
  const lowest = isPercentile ? 1 + LOWEST_TICK * (TOP - 1) / numbers.decades : 0;
  for (let x = 0; x < 256; x += 1) {
    context.fillStyle = `rgb(${colours[layer()][Math.round(lowest + x / 255 * (TOP - lowest))].join(" ")})`;
    context.fillRect(x, 0, 1, 1);
  }
  const nines = Array.from({ length: Math.floor(numbers.decades + 1e-9) }, (_, n) => n + 1);
  const ticks = isPercentile ? nines.map((n) => [(n - LOWEST_TICK) / (numbers.decades - LOWEST_TICK), `${(100 * (1 - 10 ** -n)).toFixed(Math.max(n - 2, 0))} %`])
    : [0, 0.5, 1].map((share) => [share, (share * numbers.spreadMax).toPrecision(2)]);
  at("key-label").textContent = isPercentile ? "Percentile: share of healthy brain voxels with a lower score" : "Spread: standard deviation between the models";
  at("ticks").replaceChildren(...ticks.map(([share, textContent]) => {
    const tick = Object.assign(document.createElement("span"), { textContent }), percent = `${100 * Math.min(share, 1)}%`;
    Object.assign(tick.style, { left: percent, transform: `translateX(-${percent})` });
    return tick;
  }));
}

const figures = PLANES.map((plane) => {
  const figure = at(plane.name);
  return { plane, figure, canvas: figure.querySelector("canvas"), slider: figure.querySelector("input"), output: figure.querySelector("output") };
});
const strip = [];

let waiting = false;
function draw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    for (const { plane, canvas, slider, output } of figures) {
      slider.value = cross[plane.through];
      output.textContent = `slice ${sliceText(plane.through, cross[plane.through])} of 0–${numbers.slices[plane.through] - 1}`;
      drawSection(canvas, plane, cross[plane.through], true);
    }
    strip.forEach(({ canvas, index }) => drawSection(canvas, PLANES[0], index, false));
    describePlace();
    describeThreshold();
    drawKey();
    document.body.dataset.drawn = String(Number(document.body.dataset.drawn ?? 0) + 1);
  });
}

function moveTo(place) {
  place.forEach((value, axis) => { cross[axis] = Math.min(Math.max(Math.round(value), 0), numbers.shape[axis] - 1); });
  draw();
}
const step = (axis, by) => moveTo(cross.map((value, other) => value + (other === axis ? by : 0)));

function listen({ plane, figure, canvas, slider }) {
  const { across, down, through } = plane, mm = (axis) => numbers.shape[axis] * voxelMm[axis];
  figure.style.flex = `${mm(across)} 1 0`; // one scale in millimetres for all three
  figure.querySelector(".picture").style.aspectRatio = `${mm(across)} / ${mm(down)}`;
  slider.max = numbers.shape[through] - 1;
  slider.oninput = () => moveTo(cross.map((value, axis) => (axis === through ? Number(slider.value) : value)));
  const point = (event) => {
    const place = [...cross];
    place[across] = numbers.shape[across] - 0.5 - event.offsetX / canvas.clientWidth * numbers.shape[across];
    place[down] = numbers.shape[down] - 0.5 - event.offsetY / canvas.clientHeight * numbers.shape[down];
    moveTo(place);
  };
  canvas.onpointerdown = point;
  canvas.onpointermove = (event) => { if (event.buttons === 1) point(event); };
  canvas.addEventListener("wheel", (event) => {
    if (document.activeElement !== canvas) return; // the wheel scrolls the page until a section is chosen
    event.preventDefault();
    step(through, event.deltaY < 0 ? 1 : -1);
  }, { passive: false });
  const KEYS = { ArrowLeft: [across, 1], ArrowRight: [across, -1], ArrowUp: [down, 1], ArrowDown: [down, -1], PageUp: [through, 1], PageDown: [through, -1] };
  canvas.onkeydown = (event) => {
    if (!KEYS[event.key]) return;
    event.preventDefault();
    step(...KEYS[event.key]);
  };
}

function showCandidate(row) {
  document.querySelectorAll("[data-candidate]").forEach((other) => other.setAttribute("aria-current", String(other === row)));
  moveTo(numbers.candidates[row.dataset.candidate]);
  at("planes").scrollIntoView({ block: "nearest" });
}

function buildStrip() {
  for (const { index, ml } of numbers.strip) {
    const button = Object.assign(document.createElement("button"), { type: "button" }), canvas = document.createElement("canvas");
    const text = `slice ${sliceText(2, index)}, ${ml.toFixed(ml < 10 ? 2 : 1)} ml`;
    button.append(canvas, text);
    button.onclick = () => { moveTo([cross[0], cross[1], index]); at("planes").scrollIntoView({ block: "nearest" }); };
    at("strip").append(button);
    strip.push({ canvas, index });
  }
  at("suspicious").hidden = !strip.length;
}

function reset() {
  Object.entries({ opacity: 0.55, brightness: 1, threshold: numbers.level }).forEach(([id, value]) => { at(id).value = value; });
  at("outline").checked = at("cross").checked = true;
  draw();
}

async function start() {
  for (const name of ["scan", "percentile", "mask", "spread"]) {
    const element = at(`${name}-voxels`);
    if (!element) continue;
    voxels[name] = await unpacked(element.textContent);
    element.remove();
  }
  figures.forEach(listen);
  buildStrip();
  document.querySelectorAll("[data-candidate]").forEach((row) => { row.onclick = () => showCandidate(row); });
  for (const id of ["threshold", "opacity", "brightness", "outline", "cross", "layer"]) at(id)?.addEventListener("input", draw);
  at("reset").onclick = reset;
  new ResizeObserver(draw).observe(at("planes"));
  const [first] = document.querySelectorAll("[data-candidate]");
  if (first) Object.assign(cross, numbers.candidates[0]);
  else if (numbers.strip.length) cross[2] = numbers.strip[0].index;
  reset();
}
start().catch((error) => {
  at("problem").textContent = `This browser cannot draw the viewer (${error.message}). Chrome 80, Firefox 113, Safari 16.4 or later can.`;
  at("problem").hidden = false;
});
