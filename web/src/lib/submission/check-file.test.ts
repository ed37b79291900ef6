// @vitest-environment node
import { gzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { npy, safetensors } from '../../../tests/browser/files';
import { checkFile, type Facts, type Verdict } from './check-file';

const FACTS: Facts = { classes: 10, classWords: new Set(), images: 3, namedImages: false, boxes: false };

async function check(name: string, content: BlobPart): Promise<Pick<Verdict, 'kind' | 'summary'> & { faults: string[] }> {
    const { kind, summary, faults } = await checkFile(new File([content], name), FACTS, 1);
    return { kind, summary, faults: faults.map(({ line, detail }) => (line ? `${line}: ${detail}` : detail)) };
}

/** What `np.save` writes; the header as numpy 2 writes it. */
function saved(descr: string, shape: string, fortran = 'False'): Uint8Array<ArrayBuffer> {
    const header = `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': (${shape}), }`.padEnd(117) + '\n';
    return Uint8Array.from([0x93, ...Buffer.from('NUMPY'), 1, 0, 118, 0, ...Buffer.from(header)]);
}

describe('predictions', () => {
    test('are read through gzip', async () => {
        expect(await check('p.txt.gz', new Uint8Array(gzipSync('1\n2\n3\n')))).toEqual({ kind: 'predictions', summary: 'text, 3 lines', faults: [] });
        const { faults } = await check('p.csv.gz', new Uint8Array(gzipSync('image,label1\n0,1\n1,10\n2,3\n')));
        expect(faults).toEqual(['3: class 10, but this challenge has 10 (numbers run from 0 to 9)']);
        const damaged = new Uint8Array(gzipSync('1\n2\n3\n')).subarray(0, 12);
        expect((await check('p.txt.gz', damaged)).faults).toEqual(['This gzip file is damaged, or not complete.']);
    });

    test('in several gzip members are not called damaged where a browser reads the first alone', async () => {
        vi.stubGlobal(
            'DecompressionStream',
            class {
                constructor() {
                    return new TransformStream({ transform: (_, controller) => controller.error(new TypeError('Junk found after end of compressed data.')) });
                }
            },
        );
        const members = new Uint8Array(Buffer.concat([gzipSync('1\n2\n'), gzipSync('3\n')]));
        expect((await check('p.txt.gz', members)).faults).toEqual([]);
        vi.unstubAllGlobals();
    });

    test('keep their byte-order mark, which only CSV may have', async () => {
        expect((await check('p.txt', '\uFEFF1\n2\n3\n')).faults).toEqual(['1: the file starts with a byte-order mark; save it as plain ASCII']);
        expect((await check('p.csv', '\uFEFFimage,label1\n0,1\n1,2\n2,3\n')).faults).toEqual([]);
    });

    test('as arrays are judged by their header', async () => {
        for (const [descr, shape] of [['<i8', '3,'], ['<i4', '3, 5'], ['<i4', '3, 6'], ['<f4', '3, 10'], ['>f2', '3, 10']] as const) {
            expect((await check('p.npy', saved(descr, shape))).faults).toEqual([]);
        }
        // Over a longer list, the columns may still be the challenge's own.
        const own = await checkFile(new File([saved('<f4', '3, 4')], 'p.npy'), { ...FACTS, ownColumns: 4 }, 1);
        expect(own.faults).toEqual([]);
        expect((await check('p.npy', saved('<f4', '2, 9'))).faults).toEqual([
            'The array has 2 rows; this challenge has 3 test images.',
            'Scores for 9 classes; this challenge has 10.',
        ]);
        expect((await check('p.npy', saved('<f4', '3, 10', 'True'))).faults).toEqual(['The array is in Fortran order. Save np.ascontiguousarray(array).']);
        expect((await check('p.npy', saved('|O', '3,'))).faults).toHaveLength(1);
        expect((await check('p.npy', npy([3, 2, 2], new Uint8Array(12)))).faults).toHaveLength(1);
    });

    test('larger than the challenge takes are refused', async () => {
        const { faults } = await check('p.txt', '1\n'.repeat(600_000));
        expect(faults[0]).toBe('This challenge takes files of at most 1 MiB; this one has 1.1\u00a0MiB.');
    });
});

test('a file that is gone from the disk is not looked at for ever', async () => {
    const gone = Object.assign(new File(['1\n2\n3\n'], 'p.txt'), {
        slice: () => {
            throw new DOMException('The requested file could not be read.', 'NotReadableError');
        },
    });
    expect((await checkFile(gone, FACTS, 1)).faults).toEqual([
        { line: null, row: null, detail: 'The file was changed, moved or deleted after it was chosen. Choose it again.' },
    ]);
});

describe('a model', () => {
    test('in safetensors tells what is in it', async () => {
        const file = safetensors({ 'fc.weight': { shape: [10, 100], values: new Float32Array(1000) } });
        const verdict = await check('m.safetensors', new Uint8Array(file));
        expect(verdict).toEqual({ kind: 'model', summary: 'safetensors, 1 tensor, 1.0\u00a0k numbers, 4.0\u00a0KiB', faults: [] });
    });

    test('that is cut short is told so', async () => {
        const file = safetensors({ 'fc.weight': { shape: [10, 100], values: new Float32Array(1000) } });
        expect((await check('m.safetensors', new Uint8Array(file.subarray(0, 20)))).faults).toEqual(['The file is cut short, or no safetensors file.']);
    });
});
