import { describe, expect, test } from 'vitest';
import { type Box, type Dot, type Named, placeNames } from './labels';

const BOUNDS: Box = { left: 0, right: 400, top: 0, bottom: 300 };
const named = (x: number, y: number, radius = 4, width = 60): Named => ({ x, y, radius, width, height: 14 });
const boxes = (points: readonly Named[], dots: readonly Dot[] = points): (Box | null)[] =>
    placeNames(points, dots, BOUNDS).map((place, index) => {
        const { width = 0, height = 0 } = points[index] ?? {};
        return place && { left: place.x - width / 2, right: place.x + width / 2, top: place.y - height / 2, bottom: place.y + height / 2 };
    });

describe('names in a chart', () => {
    test('are above their points where nothing is in the way', () => {
        expect(placeNames([named(200, 150)], [named(200, 150)], BOUNDS)).toEqual([{ x: 200, y: 150 - 4 - 4 - 7 }]);
    });

    test('stay in the chart', () => {
        for (const box of boxes([named(2, 2), named(398, 298), named(398, 2), named(2, 298)])) {
            expect(box).not.toBeNull();
            expect(box?.left).toBeGreaterThanOrEqual(0);
            expect(box?.right).toBeLessThanOrEqual(400);
            expect(box?.top).toBeGreaterThanOrEqual(0);
            expect(box?.bottom).toBeLessThanOrEqual(300);
        }
    });

    test('cover neither each other nor a point, however close the points lie', () => {
        // Sixty points within the width of two names: more than there is room for.
        const points = Array.from({ length: 60 }, (_, index) => named(140 + ((index * 37) % 120), 100 + ((index * 53) % 80)));
        const found = boxes(points).filter((box) => box !== null);
        expect(found.length).toBeGreaterThan(3);
        found.forEach((box, index) => {
            for (const other of found.slice(index + 1)) {
                expect(box.left < other.right && other.left < box.right && box.top < other.bottom && other.top < box.bottom).toBe(false);
            }
            for (const { x, y } of points) expect(x > box.left && x < box.right && y > box.top && y < box.bottom).toBe(false);
        });
    });

    test('of those that come first have the choice, and the last ones are left out', () => {
        const places = placeNames(Array.from({ length: 12 }, () => named(200, 150)), [], BOUNDS);
        expect(places.slice(0, 4).every(Boolean)).toBe(true);
        expect(places.at(-1)).toBeNull();
    });

    test('lie over the rim of a large point only where there is no better place', () => {
        const large: Dot = { x: 200, y: 150, radius: 60 };
        const [inside] = placeNames([named(200, 110, 4, 30)], [large, named(200, 110)], BOUNDS);
        expect(inside).not.toBeNull();
        // Not over its middle.
        expect(Math.abs((inside?.y ?? 0) - 150)).toBeGreaterThan(7);
    });
});
