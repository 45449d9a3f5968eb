//! The layout to beat: one sorted string per server, a line for each player, two base-94 digits for each boss. It has
//! neither dates nor averages. Its size: 10.2 bytes, 2 for each raid and difficulty, 2 for each boss.

use super::set::{BOSSES, Player};

/// The file of this layout.
pub(super) fn file(players: &[Player]) -> Vec<u8> {
    let mut file = Vec::new();
    for server in players.chunk_by(|left, right| left.server == right.server) {
        file.extend(format!("DB[\"Server {}\"]=[==[\n\n", server[0].server).into_bytes());
        let mut lines: Vec<Vec<u8>> = server.iter().map(line).collect();
        lines.sort_unstable();
        lines.iter().for_each(|line| file.extend(line));
        file.extend(b"]==]\n");
    }
    file
}

fn line(player: &Player) -> Vec<u8> {
    let mut line = player.name.clone().into_bytes();
    line.push(b'!' + player.class as u8);
    for section in &player.sections {
        let full = section.cells.len() == BOSSES[section.raid];
        line.push(b'!' + 2 * (3 * section.raid + section.difficulty) as u8 + u8::from(full));
        if !full {
            pair(&mut line, (1 << section.cells.len()) - 1);
        }
        for cell in &section.cells {
            pair(&mut line, cell.best as u32 * 84 + (cell.kills - 1) * 4 + cell.spec);
        }
    }
    line.push(b'\n');
    line
}

fn pair(line: &mut Vec<u8>, number: u32) {
    line.extend([b'!' + (number / 94) as u8, b'!' + (number % 94) as u8]);
}
