import { afterEach, describe, expect, test, vi } from 'vitest';
import { firstImages, parseNpyHeader } from './npy';

/** numpy 2.4.6: `numpy.save(file, numpy.arange(12, dtype=numpy.uint8).reshape(2, 2, 3))`, two images of 2 × 3 pixels. */
const HEADER = `\x93NUMPY\x01\x00\x76\x00{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2, 3), }`;
const FILE = Uint8Array.from([...HEADER.padEnd(127, ' '), '\n'].map((letter) => letter.charCodeAt(0)).concat([...Array(12).keys()]));

/** A server that answers range requests from `file`. */
function serve(file: Uint8Array<ArrayBuffer>): string[] {
    const ranges: string[] = [];
    vi.stubGlobal('fetch', async (_url: string, { headers }: { headers: { range: string } }) => {
        ranges.push(headers.range);
        const [from = 0, to = 0] = headers.range.replace('bytes=', '').split('-').map(Number);
        return Promise.resolve(new Response(file.slice(from, to + 1), { status: 206 }));
    });
    return ranges;
}
afterEach(() => vi.unstubAllGlobals());

describe('the header', () => {
    test('of a file that numpy wrote', () => {
        expect(FILE).toHaveLength(140);
        expect(parseNpyHeader(FILE)).toEqual({ dtype: '|u1', fortranOrder: false, shape: [2, 2, 3], dataOffset: 128 });
    });
    test('of something else is refused', () => {
        expect(() => parseNpyHeader(new TextEncoder().encode('image,label\n0,3\n'))).toThrow('not an NPY file');
        expect(() => parseNpyHeader(FILE.slice(0, 100))).toThrow('beyond what was read');
    });
});

describe('images', () => {
    test('are read with two range requests, as many as fit', async () => {
        const ranges = serve(FILE);
        const images = await firstImages('/images', { atMost: 10, budget: 100 });
        expect(images.map(({ height, width, channels, pixels }) => [height, width, channels, ...pixels])).toEqual([
            [2, 3, 1, 0, 1, 2, 3, 4, 5],
            [2, 3, 1, 6, 7, 8, 9, 10, 11],
        ]);
        expect(ranges).toEqual(['bytes=0-255', 'bytes=128-139']);
        await expect(firstImages('/images', { atMost: 10, budget: 11 })).resolves.toHaveLength(1);
    });
    test('of a server that sends the whole file are not read', async () => {
        vi.stubGlobal('fetch', () => Promise.resolve(new Response(FILE, { status: 200 })));
        await expect(firstImages('/images', { atMost: 1, budget: 100 })).rejects.toThrow('answered 200 to a range request');
    });
});
