/** Names beside the points of a chart: each where it covers neither another name nor a point, or else not at all. */
import type { TextOptions } from '@observablehq/plot';
import { HALO, type PlotLibrary, textWidth } from './plot';

export interface Dot {
    /** The middle, in pixels. */
    x: number;
    y: number;
    radius: number;
}

/** A point that wants its name beside it; pixels. */
export interface Named extends Dot {
    width: number;
    height: number;
}

export interface Box {
    left: number;
    right: number;
    top: number;
    bottom: number;
}

/** Between a point and its name. */
const GAP = 4;
/** What of a large point must stay free where there is no better place: its middle, which says where it lies. */
const CORE = 6;
/** So many points are tried at most: a chart of thousands is no list of names. */
const MOST = 24;

/** Where a name goes beside its point, across and down: first the places where readers look first. */
const SIDES: readonly Side[] = [
    [0, -1],
    [0, 1],
    [1, 0],
    [-1, 0],
    [1, -1],
    [-1, -1],
    [1, 1],
    [-1, 1],
];
/** For points on a line that falls: it comes from above and leads on to the right. */
export const BELOW: readonly Side[] = [
    [0, 1],
    [1, 1],
    [-1, 1],
    [1, -1],
    [-1, 0],
    [1, 0],
];
type Side = readonly [across: -1 | 0 | 1, down: -1 | 0 | 1];

/**
 * The middle of each name, or `null` where there is no place for it; who comes first chooses first. All `dots`, of those
 * without a name too, are kept free; where that cannot be, at least their middles.
 */
export function placeNames(named: readonly Named[], dots: readonly Dot[], bounds: Box, sides = SIDES): ({ x: number; y: number } | null)[] {
    const taken: Box[] = [];
    return named.map((point) => {
        const boxes = sides.map((side) => boxBeside(point, side)).filter((box) => isInside(box, bounds) && !taken.some((other) => overlap(box, other)));
        const box = [Infinity, CORE].map((most) => boxes.find((free) => !dots.some((dot) => covers(free, dot, most)))).find(Boolean);
        if (!box) return null;
        taken.push(box);
        return { x: (box.left + box.right) / 2, y: (box.top + box.bottom) / 2 };
    });
}

function boxBeside({ x, y, radius, width, height }: Named, [across, down]: Side): Box {
    // Beside a corner, the box touches the circle rather than the square around it.
    const away = (radius + GAP) * (across !== 0 && down !== 0 ? Math.SQRT1_2 : 1);
    const left = across === 0 ? x - width / 2 : across > 0 ? x + away : x - away - width;
    const top = down === 0 ? y - height / 2 : down > 0 ? y + away : y - away - height;
    return { left, right: left + width, top, bottom: top + height };
}

function isInside(box: Box, bounds: Box): boolean {
    return box.left >= bounds.left && box.right <= bounds.right && box.top >= bounds.top && box.bottom <= bounds.bottom;
}

function overlap(a: Box, b: Box): boolean {
    return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

/** Whether `box` reaches into a dot, of whose radius at most `most` counts. */
function covers(box: Box, { x, y, radius }: Dot, most: number): boolean {
    const across = Math.max(box.left - x, 0, x - box.right);
    const down = Math.max(box.top - y, 0, y - box.bottom);
    return Math.hypot(across, down) < Math.min(radius, most);
}

interface NamesOptions<T> {
    x: keyof T & string;
    y: keyof T & string;
    /** A point's name; empty where it has none. */
    text: (point: T) => string;
    /** A column on the scale of areas, where points differ in size. */
    r?: keyof T & string;
    /** Of points that do not differ in size, in pixels. */
    radius?: number;
    /** Of the type, in pixels. */
    fontSize: number;
    /** Where names may be, the best first. */
    sides?: readonly Side[];
}

/** The mark that writes names beside the first of `points`, all of which are drawn and kept free. */
export function names<T>(plot: PlotLibrary, points: readonly T[], { x, y, text, r, radius = 4.5, fontSize, sides }: NamesOptions<T>): ReturnType<PlotLibrary['text']> {
    const render: TextOptions['render'] = (index, scales, values, dimensions, context, next) => {
        const { x: across = [], y: down = [], size } = values as { x?: number[]; y?: number[]; size?: number[] };
        const dotOf = (at: number): Dot => ({ x: across[at] ?? NaN, y: down[at] ?? NaN, radius: Number.isFinite(size?.[at]) ? (size?.[at] ?? 0) : radius });
        // Plot passes a typed array, which can hold numbers only.
        const tried = Array.from(index).slice(0, MOST);
        const named = tried.map((at): Named => {
            const point = points[at];
            return { ...dotOf(at), width: point === undefined ? 0 : textWidth(text(point), fontSize), height: fontSize * 1.15 };
        });
        const bounds = { left: dimensions.marginLeft + 2, right: dimensions.width - 2, top: 2, bottom: dimensions.height - dimensions.marginBottom - 2 };
        const places = placeNames(named, points.map((_, at) => dotOf(at)), bounds, sides);
        const placed = tried.filter((_, order) => places[order]);
        const [middles, heights] = [[...across], [...down]];
        tried.forEach((at, order) => {
            middles[at] = places[order]?.x ?? NaN;
            heights[at] = places[order]?.y ?? NaN;
        });
        return next?.(placed, scales, Object.assign({}, values, { x: middles, y: heights }), dimensions, context) ?? null;
    };
    return plot.text(points, {
        x,
        y,
        text: (point: T) => text(point) || null,
        ...(r ? { channels: { size: { value: r, scale: 'r', filter: null } } } : {}),
        fill: 'var(--ink)',
        ...HALO,
        render,
    });
}
