import { expect, test } from 'vitest';
import type { ChallengeDocument } from '$lib/api/schema';
import { readDirectory, readInto } from './manifest';
import { changesOf, closeFault, emptySettings, newChallenge, parseClasses, settingsFaults, settingsOf, slugOf, utcTime } from './settings-form';
import { FASHION_MNIST } from '$lib/challenge/challenge.fixture';

/** The contract's own example of challenge.toml. */
const TOML = `
slug = "fashion-mnist"
title = "Fashion-MNIST"
series = "fashion-mnist"
description = "description.md"
classes = "classes.txt"
[test]
images = "test-images.npy"
labels = "test-labels.csv"
public_images = true
order = "natural"
[validation]
images = "val-images.npy"
labels = "val-labels.csv"
[files]
train-images = "train-images.npy"
[schedule]
opens = "2026-01-01T00:00:00Z"
closes = 2027-01-01T00:00:00Z
after_close = "reject"
[limits]
per_day = 20
per_week = 100
total = 1000
upload_mb = 1024
[leaderboard]
primary = "top5"
public_fraction = 0.3
feedback = "exact"
ranking = "best"
final_selections = 1
reference = { label = "human", error = 0.051 }
[rules]
outside_data = "declared"
`;

function file(name: string, content = ''): File {
    // jsdom's File has no text().
    return Object.assign(new File([content], name), { text: () => Promise.resolve(content) });
}

test("the contract's challenge.toml becomes the body that creates it", async () => {
    const names = ['test-images.npy', 'test-labels.csv', 'val-images.npy', 'val-labels.csv'];
    const { form, uploads, missing } = await readDirectory([
        file('challenge.toml', TOML),
        file('description.md', 'Clothes'),
        file('classes.txt', 'Trouser\nBag\tn02774152\n'),
        ...names.map((name) => file(name)),
    ]);
    expect(settingsFaults(form, '', new Date('2026-06-01T00:00:00Z'))).toEqual({});
    expect(newChallenge(form)).toEqual({
        slug: 'fashion-mnist',
        title: 'Fashion-MNIST',
        series: 'fashion-mnist',
        description: 'Clothes',
        classes: [{ name: 'Trouser' }, { name: 'Bag', id: 'n02774152' }],
        test: { public_images: true, order: 'natural' },
        schedule: { opens: '2026-01-01T00:00:00.000Z', closes: '2027-01-01T00:00:00.000Z', after_close: 'reject' },
        limits: { per_day: 20, per_week: 100, total: 1000, upload_mb: 1024 },
        leaderboard: {
            primary: 'top5',
            public_fraction: 0.3,
            feedback: 'exact',
            ranking: 'best',
            final_selections: 1,
            reference: { label: 'human', error: 0.051 },
        },
        rules: { outside_data: 'declared' },
    });
    expect(uploads.map(({ slot }) => slot)).toEqual(['images', 'labels', 'validation/images', 'validation/labels']);
    expect(missing).toEqual(['train-images.npy']);
});

const FOLDERS = `
classes = "classes.txt"
[test]
labels = "test/labels.csv"
[validation]
labels = "./val/labels.csv"
[schedule]
closes = 2026-12-31T23:59:59Z
[limits]
per_hour = 3
`;

test('files in folders are known by their paths', async () => {
    const paths = ['d/challenge.toml', 'd/classes.txt', 'd/val/labels.csv', 'd/test/labels.csv'];
    const files = paths.map((path) =>
        Object.defineProperty(file(path.split('/').at(-1)!, path.endsWith('toml') ? FOLDERS : ''), 'webkitRelativePath', { value: path }),
    );
    const { form, uploads, missing, unknown } = await readDirectory(files);
    expect(uploads.map(({ slot, file }) => [slot, file.webkitRelativePath])).toEqual([
        ['labels', 'd/test/labels.csv'],
        ['validation/labels', 'd/val/labels.csv'],
    ]);
    expect(missing).toEqual([]);
    expect(unknown).toEqual(['limits.per_hour']);
    expect(newChallenge(form).schedule?.closes).toBe('2026-12-31T23:59:59.000Z');
});

test('a file without its folder is refused where it could be two', async () => {
    await expect(readDirectory([file('challenge.toml', FOLDERS), file('labels.csv')])).rejects.toThrow(
        'challenge.toml names test/labels.csv and val/labels.csv, and labels.csv came without its folder.',
    );
    const { uploads } = await readDirectory([file('challenge.toml', FOLDERS.replace('./val/', 'val-')), file('labels.csv')]);
    expect(uploads.map(({ slot }) => slot)).toEqual(['labels']);
});

test('files that are added later leave what was typed meanwhile', async () => {
    const manifest = file('challenge.toml', FOLDERS);
    const first = (await readDirectory([manifest])).form;
    const typed = { ...readInto({ ...emptySettings(), title: 'Typed before' }, null, first), title: 'Typed after', perDay: '7' };
    const second = (await readDirectory([manifest, file('classes.txt', 'cat\ndog\n')])).form;
    expect(readInto(typed, first, second)).toEqual({ ...first, title: 'Typed after', perDay: '7', classes: 'cat\ndog\n' });
});

test('a public challenge may say so, and terms are left aside', async () => {
    const { unknown } = await readDirectory([file('challenge.toml', '[access]\nvisibility = "public"\nterms = "terms.md"')]);
    expect(unknown).toEqual(['access.terms']);
});

test('what is wrong with a challenge.toml is said', async () => {
    await expect(readDirectory([file('notes.txt')])).rejects.toThrow('There is no challenge.toml');
    await expect(readDirectory([file('challenge.toml', 'slug = ')])).rejects.toThrow('challenge.toml: ');
    const invited = file('challenge.toml', '[access]\nvisibility = "invited"');
    await expect(readDirectory([invited])).rejects.toThrow('access.visibility is "invited", but every challenge is public here');
});

test('each field says what it takes', () => {
    const form = { ...emptySettings(), slug: 'Fashion', classes: 'a\nb\na', publicPercent: '0', perDay: '0', referencePercent: '5', opens: '2027-01-01T00:00', closes: '2026-01-01T00:00' };
    expect(Object.keys(settingsFaults(form)).toSorted()).toEqual(['classes', 'closes', 'perDay', 'publicPercent', 'referenceLabel', 'slug', 'title']);
});

test('a close is a time to come, unless the challenge has it already', () => {
    const now = new Date('2026-06-01T12:00');
    expect(closeFault('', '', now)).toBeNull();
    expect(closeFault('2026-06-01T12:01', '', now)).toBeNull();
    expect(closeFault('2026-06-01T12:00', '', now)).toMatch(/^This is over\./);
    expect(closeFault('2026-07-01T00:00', '2026-07-01T00:00', now)).toBe('Later than the opening.');
    const form = { ...emptySettings(), closes: '2020-01-01T00:00' };
    expect(settingsFaults(form, '', now).closes).toMatch(/^This is over\./);
    expect(settingsFaults(form, '2020-01-01T00:00', now).closes).toBeUndefined();
});

test('a year of five digits, which Chromium lets one type, is a fault and no time', () => {
    const form = { ...emptySettings(), opens: '20266-01-01T00:00', closes: '20266-01-02T00:00' };
    expect(settingsFaults(form)).toMatchObject({ opens: 'A year has four digits here.', closes: 'A year has four digits here.' });
    expect([utcTime(form.closes), utcTime('')]).toEqual([null, null]);
});

test('a slug has the letters of the title, without their accents', () => {
    expect(['Made by hand', 'Éclairs & Co.', '  Übung 2 '].map(slugOf)).toEqual(['made-by-hand', 'eclairs-co', 'ubung-2']);
});

test('a wider list must hold the classes, and goes when it is taken away', () => {
    const form = { ...emptySettings(), slug: 'four', title: 'Four', classes: 'a\tn1\nb' };
    const fault = (widerClasses: string) => settingsFaults({ ...form, widerClasses }).widerClasses;
    expect(fault('')).toBeUndefined();
    expect(fault('n1\nb\nc')).toBeUndefined();
    expect(fault('n1\nc\nd')).toBe('“b” is not in it.');
    expect(fault('n1\nb')).toMatch(/more classes/);
    const test = newChallenge({ ...form, widerClasses: 'n1\nb\nc\n' }).test;
    expect(test?.wider_classes).toEqual([{ name: 'n1' }, { name: 'b' }, { name: 'c' }]);
    const there = { ...FASHION_MNIST, test: { ...FASHION_MNIST.test, wider_classes: [{ name: 'Trouser' }] } };
    expect(changesOf({ ...settingsOf(there), widerClasses: '' }, there)).toEqual({ test: { wider_classes: null } });
    expect(changesOf(settingsOf(there), there)).toEqual({});
});

test('classes may have an id in a second column', () => {
    expect(parseClasses('cat\r\ndog\tn02084071\r\n')).toEqual([{ name: 'cat' }, { name: 'dog', id: 'n02084071' }]);
    expect(parseClasses('')).toEqual([]);
});

test('only what differs is changed', () => {
    const challenge = {
        slug: 'a-challenge',
        title: 'A challenge',
        series: null,
        description: '',
        classes: [{ name: 'a' }, { name: 'b' }],
        test: { public_images: true },
        schedule: { opens: null, closes: null, after_close: 'reject' },
        limits: { per_day: 20, per_week: null, total: null, upload_mb: 1024 },
        leaderboard: { primary: 'top1', public_fraction: 0.3, feedback: 'exact', ranking: 'best', final_selections: 1, reference: null },
        rules: { outside_data: 'declared' },
    } as unknown as ChallengeDocument;
    const form = settingsOf(challenge);
    expect(changesOf(form, challenge)).toEqual({});
    expect(changesOf({ ...form, perDay: '', referenceLabel: 'human', referencePercent: '5.1', series: 'letters' }, challenge)).toEqual({
        limits: { per_day: null },
        leaderboard: { reference: { label: 'human', error: 0.051 } },
        series: 'letters',
    });
});

test('a list of WNIDs and words gives ids, and names that two classes share get theirs behind them', () => {
    expect(parseClasses('n02012849 crane\nn03126707 crane\nn01440764 tench, Tinca tinca\n')).toEqual([
        { name: 'crane (n02012849)', id: 'n02012849' },
        { name: 'crane (n03126707)', id: 'n03126707' },
        { name: 'tench, Tinca tinca', id: 'n01440764' },
    ]);
});

test('JSON is no list of classes here', () => {
    const form = { ...emptySettings(), title: 'T', slug: 'tt', classes: '{\n "0": "tench",\n "1": "goldfish"\n}' };
    expect(settingsFaults(form).classes).toMatch(/looks like JSON/);
    expect(settingsFaults({ ...form, classes: 'cat\ndog' }).classes).toBeUndefined();
});
