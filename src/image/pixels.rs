//! A picture in memory.

/// An 8-bit picture, row by row, channels interleaved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    /// `width · height · channels` values.
    pub data: Vec<u8>,
}

impl Image {
    /// The picture with `channels` (1 or 3): grey is `(299·R + 587·G + 114·B + 500) / 1000`, colour from grey
    /// repeats it.
    #[must_use]
    pub fn with_channels(self, channels: usize) -> Image {
        let data = match (self.channels, channels) {
            (3, 1) => {
                let grey = |p: &[u8; 3]| {
                    let sum = 299 * u32::from(p[0]) + 587 * u32::from(p[1]) + 114 * u32::from(p[2]) + 500;
                    // At most 255 500 / 1000.
                    (sum / 1000) as u8
                };
                self.data.as_chunks::<3>().0.iter().map(grey).collect()
            }
            (1, 3) => self.data.iter().flat_map(|v| [*v; 3]).collect(),
            _ => self.data,
        };
        Image { data, channels, ..self }
    }

    /// The middle `width × height` pixels; `None` if the picture is smaller. With an odd remainder, the left
    /// and upper margins are the smaller ones.
    #[must_use]
    pub fn centre_crop(&self, width: usize, height: usize) -> Option<Image> {
        let left = self.width.checked_sub(width)? / 2;
        let top = self.height.checked_sub(height)? / 2;
        let row = self.width * self.channels;
        let data = self
            .data
            .chunks_exact(row.max(1))
            .skip(top)
            .take(height)
            .flat_map(|r| r.iter().skip(left * self.channels).take(width * self.channels).copied())
            .collect();
        Some(Image { width, height, channels: self.channels, data })
    }
}
