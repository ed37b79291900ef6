import { describe, expect, test } from 'vitest';
import type { ChallengeDocument } from '$lib/api/schema';
import { FASHION_MNIST } from './challenge.fixture';
import { rulesOf, takesFiles, takesModels } from './rules';

const words = (changes: Partial<ChallengeDocument> = {}): Record<string, string> =>
    Object.fromEntries(rulesOf({ ...FASHION_MNIST, ...changes }).map(({ title, text }) => [title, text]));

describe('the rules in words', () => {
    test('of the demo', () => {
        expect(words()).toEqual({
            'What ranks':
                'Teams are ranked by top-1 error, the share of images whose first guess is wrong; then by top-5 error, then by who was earlier. A team stands with its best submission.',
            'What you see': 'While the challenge is open, the public board shows the error on 50\u00a0% of the test images, drawn once and kept secret.',
            'What decides':
                'The other 50\u00a0% stay private until the close and decide the final board. Each team may select one submission for it; without a selection, the one on the public board counts.',
            'How often': 'A team may submit 20 a day (UTC). Rejected files do not count. A file may have up to 1,024 MiB.',
            'Data from elsewhere': 'Allowed if declared: every submission says whether it used data from elsewhere, and the board marks those that did.',
            'After the close': 'Nothing is accepted any more. What counts is when the first byte arrives. The private board is published.',
        });
    });
    test('say nothing of a private part where all images are public', () => {
        const all = words({ leaderboard: { ...FASHION_MNIST.leaderboard, public_fraction: 1 } });
        expect(all['What decides']).toBeUndefined();
        expect(all['What you see']).toContain('on all test images');
        expect(all['After the close']).not.toContain('private');
    });
    test('tell of a longer list that files are over', () => {
        expect(words()['Which classes']).toBeUndefined();
        const wider_classes = Array.from({ length: 1000 }, (_, index) => ({ name: `class ${index}` }));
        const text = words({ test: { ...FASHION_MNIST.test, wider_classes } })['Which classes'];
        expect(text).toContain('The 3 classes are some of a longer list of 1,000');
        expect(text).toContain('the columns of the 997 other classes are left out; a guess of such a class is wrong');
    });
    test('follow each setting', () => {
        const strict = words({
            leaderboard: { ...FASHION_MNIST.leaderboard, primary: 'top5', feedback: 'ladder', ranking: 'latest', final_selections: 2 },
            limits: { per_day: 2, per_week: 5, total: 100, upload_mb: 10 },
            rules: { outside_data: 'forbidden' },
            schedule: { opens: null, closes: null, after_close: 'score' },
        });
        expect(strict['What ranks']).toMatch(/ranked by top-5 error.*latest submission\.$/);
        expect(strict['What you see']).toContain('ladder');
        expect(strict['What decides']).toContain('up to 2 submissions');
        expect(strict['How often']).toContain('2 a day (UTC), 5 a week (Monday to Sunday, UTC) and 100 in all');
        expect(strict['Data from elsewhere']).toBe('Only the data of this challenge may be used. Every submission says so.');
        expect(strict['After the close']).toContain('marked late and never ranked');
    });
});

test('a challenge takes files while it is open, and late ones where it says so', () => {
    const takes = (state: ChallengeDocument['state'], after_close: 'reject' | 'score'): boolean =>
        takesFiles({ state, schedule: { opens: null, closes: null, after_close } });
    expect([takes('open', 'reject'), takes('closed', 'score'), takes('closed', 'reject'), takes('upcoming', 'score')]).toEqual([true, true, false, false]);
});

test('a challenge takes models where it has test images, public or private', () => {
    const takes = (file: object | null, public_images: boolean): boolean =>
        takesModels({ test: { ...FASHION_MNIST.test, file, public_images } as ChallengeDocument['test'] });
    expect([takes({}, true), takes(null, true), takes(null, false)]).toEqual([true, false, true]);
});
