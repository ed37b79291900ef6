/** The demo's challenge, for tests. */
import type { ChallengeDocument } from '$lib/api/schema';

export const FASHION_MNIST: ChallengeDocument = {
    slug: 'fashion-mnist',
    title: 'Fashion-MNIST',
    series: null,
    description: '',
    classes: [{ name: 'T-shirt/top' }, { name: 'Trouser' }, { name: 'Pullover', id: 'n03' }],
    test: { public_images: true, named_images: false, file: null },
    validation: null,
    files: {},
    schedule: { opens: null, closes: null, after_close: 'reject' },
    limits: { per_day: 20, per_week: null, total: null, upload_mb: 1024 },
    leaderboard: { primary: 'top1', public_fraction: 0.5, feedback: 'exact', ranking: 'best', final_selections: 1 },
    rules: { outside_data: 'declared' },
    state: 'open',
    images: 10_000,
    label_version: 1,
    organizers: ['organizer'],
    teams: 6,
    submissions: 6,
    created_at: '2026-11-25T12:00:00Z',
    published_at: '2026-11-25T12:00:00Z',
};
