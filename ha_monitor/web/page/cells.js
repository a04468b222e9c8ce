// The geometry and the shapes of the fleet picture, in device pixels. Pure: a context, sizes, letters.

const LARGEST = 26; // css px
const LABELLED = 12; // types, at most, that get a line and a name of their own

/** The order of painting: what is worst lies on top. */
export const PAINTED = "U?DSPX";

/**
 * Find the largest cell at which all fit into width x height, or the smallest there is.
 *
 * Each type begins on a row of its own as long as there are few; then they follow one another.
 */
export function layOut(types, width, height, ratio) {
  const few = types.length <= LABELLED && width >= 560 * ratio;
  const edge = Math.round(2 * ratio); // for the ring around a cell at the border
  const gutter = edge + (few ? Math.round(Math.min(160 * ratio, width * 0.2)) : 0);
  const line = few ? Math.round(16 * ratio) : 0;
  const gap = few ? Math.round(4 * ratio) : 0;
  const counts = few ? types.map(({ codes }) => codes.length) : [types.reduce((n, { codes }) => n + codes.length, 0)];
  const rowsOf = (count, size) => Math.ceil(count / Math.max(1, Math.floor((width - gutter - edge) / size)));
  const heightAt = (size) =>
    counts.reduce((sum, count) => sum + Math.max(rowsOf(count, size) * size, line) + gap, -gap);
  let size = Math.round(LARGEST * ratio);
  while (size > 1 && heightAt(size) > height) size -= 1;

  const columns = Math.max(1, Math.floor((width - gutter - edge) / size));
  const blocks = [];
  let top = edge;
  let first = 0;
  for (const [i, count] of counts.entries()) {
    const tall = Math.max(rowsOf(count, size) * size, line);
    blocks.push({ top, first, count, tall, label: few ? types[i].type : "" });
    top += tall + gap;
    first += count;
  }
  return { size, columns, gutter, blocks, width, height: Math.max(size, top - gap) + edge };
}

/** Where a cell is: the upper left corner. */
export function placeOf({ blocks, columns, size, gutter }, index) {
  const block = blocks.findLast(({ first }) => first <= index);
  const i = index - block.first;
  return [gutter + (i % columns) * size, block.top + Math.floor(i / columns) * size];
}

/** Which cell is at a point; -1: none. */
export function cellAt({ blocks, columns, size, gutter }, x, y) {
  const block = blocks.find(({ top, tall }) => y >= top && y < top + tall);
  const column = Math.floor((x - gutter) / size);
  if (!block || column < 0 || column >= columns) return -1;
  const i = Math.floor((y - block.top) / size) * columns + column;
  return i < block.count ? block.first + i : -1;
}

/**
 * How large a mark is drawn: one that is not healthy may be larger than its cell, for one in 50,000 to be seen;
 * the more there are, the less they may take.
 */
export function markSize({ size, width, height }, ailing, ratio) {
  const own = size >= 6 * ratio ? size - Math.max(1, Math.round(size / 8)) : size;
  if (!ailing) return own;
  return Math.round(Math.max(own, Math.min(10 * ratio, Math.sqrt((0.12 * width * height) / ailing))));
}

/** Draw a mark of a side length about its centre. From 6 css px on it is a shape, below that a height. */
export function drawMark(context, code, x, y, side, ratio) {
  if (side < 6 * ratio) drawSpeck(context, code, x - side / 2, y - side / 2, side);
  else drawShape(context, code, x, y, side / 2, ratio);
  if (side >= 13 * ratio) drawLetter(context, code, x, y, side);
}

/** Too small for a shape: down is the whole cell, a failover its right half, degraded its lower half. */
function drawSpeck(context, code, x, y, side) {
  const half = Math.max(1, Math.round(side / 2));
  if (code === "S") context.fillRect(x + side - half, y, half, side);
  else if (code === "D") context.fillRect(x, y + side - half, side, half);
  else if (code === "?") context.fillRect(x, y, half, half);
  else context.fillRect(x, y, side, side);
}

function drawShape(context, code, x, y, r, ratio) {
  context.beginPath();
  if (code === "X") {
    context.rect(x - r, y - r, 2 * r, 2 * r);
  } else if (code === "P") {
    context.moveTo(x, y - r);
    context.lineTo(x + r, y + r);
    context.lineTo(x - r, y + r);
    context.closePath();
  } else if (code === "S") {
    context.moveTo(x, y - r);
    context.lineTo(x + r, y);
    context.lineTo(x, y + r);
    context.lineTo(x - r, y);
    context.closePath();
  } else if (code === "D") {
    context.moveTo(x - r, y - r);
    context.arc(x, y, r, -Math.PI / 2, Math.PI / 2);
    context.lineTo(x - r, y + r);
    context.closePath();
  } else if (code === "?") {
    const line = Math.max(1.5 * ratio, r / 5);
    context.lineWidth = line;
    context.arc(x, y, r - line / 2, 0, 2 * Math.PI);
    context.stroke();
    return;
  } else {
    context.arc(x, y, r * 0.9, 0, 2 * Math.PI);
  }
  context.fill();
}

function drawLetter(context, code, x, y, side) {
  const fill = context.fillStyle;
  context.fillStyle = code === "?" ? context.strokeStyle : context.letterColor;
  context.font = `700 ${Math.round(side * (code === "P" ? 0.46 : 0.54))}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(code, x, y + side * (code === "P" ? 0.2 : 0.04));
  context.fillStyle = fill;
}
