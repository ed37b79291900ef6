import { publicBoard } from '$lib/leaderboard/public-board';
import type { PageLoad } from './$types';

export const load: PageLoad = async (event) => ({ board: await publicBoard(event.params.slug, event) });
